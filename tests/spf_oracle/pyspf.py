"""Debian's pyspf as a child of the test: a line of JSON on standard input is a question, a line on standard output its
answer. Look-ups go to the scripted server on 127.0.0.1, whose port is the argument.

A question has `client`, `helo`, `sender` (empty: the null reverse-path) and `mended`: names of what is known to be wrong
with pyspf, each mended here for the evaluation of that question. `argued.yaml` says what they are and why.
"""

import ipaddress
import json
import re
import sys

import DNS
import spf

PORT = int(sys.argv[1])
# Names in DNS are octets (RFC 2181, 11); what senders bring in beyond ASCII is UTF-8.
DNS.LABEL_UTF8 = True


def look_up(name, qtype, strict=True, timeout=20):
    """As pyspf's own for this library, which takes an error that comes over UDP for an answer without records."""
    for protocol in ("udp", "tcp"):
        try:
            asked = DNS.DnsRequest(
                name, qtype=qtype, server=["127.0.0.1"], port=PORT, protocol=protocol, timeout=timeout
            ).req()
        except (OSError, DNS.DNSError, DNS.Lib.PackError, DNS.Lib.UnpackError) as error:
            raise spf.TempError("DNS " + str(error))
        if not asked.header["tc"]:
            break
    if asked.header["rcode"] not in (0, 3):
        raise spf.TempError("DNS " + asked.header["status"])
    return [((answer["name"], answer["typename"]), readable(answer)) for answer in asked.answers]


def readable(answer):
    if answer["typename"] == "AAAA":
        return str(ipaddress.IPv6Address(answer["data"]))
    return answer["data"]


spf.DNSLookup = look_up

TRANSFORMED = re.compile(r"([0-9]*)(r?)([.\-+,/_=]*)", re.IGNORECASE)
MACRO_STRING = re.compile(r"(%\{[slodiphcrtv][0-9]*r?[.\-+,/_=]*\}|%[%_-]|[\x20-\x24\x26-\x7e])*", re.IGNORECASE)
MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)", re.IGNORECASE | re.DOTALL)
LONGEST_NAME = 253
END = {"in-addr": "255.255.255.255", "ip6": "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}


class Through(Exception):
    """The end of a record was reached, and nothing has matched."""


class Later:
    """A target that is expanded when its term has its turn."""

    def __init__(self, query, spec):
        self.query, self.spec, self.text = query, spec, None

    def now(self):
        if self.text is None:
            self.text = self.query.expand_domain(self.spec)
        return self.text

    def lower(self):
        return self.now().lower()

    def __str__(self):
        return self.spec


def now(target):
    return target.now() if isinstance(target, Later) else target


def is_name(text):
    return all(0 < len(label) < 64 for label in text.split("."))


class Mended(spf.query):
    """pyspf with some of its known faults mended."""

    def __init__(self, mended, **arguments):
        self.mended = set(mended)
        self.of_term = False
        super().__init__(**arguments)
        if "last-at" in self.mended and "@" in self.s:
            self.l, self.o = self.s.rsplit("@", 1)
            self.d = self.o

    # Terms in their turn.

    def validate_mechanism(self, mech):
        if "in-turn" not in self.mended:
            return super().validate_mechanism(mech)
        known, domain = self.p, self.d
        self.p, self.d = "unknown", "in-turn.invalid"
        try:
            mech, m, _, length, result = super().validate_mechanism(mech)
        finally:
            self.p, self.d = known, domain
        arg = spf.parse_mechanism(mech, self.d)[1]
        return mech, m, Later(self, arg) if m in ("a", "mx", "ptr", "exists", "include") else arg, length, result

    def check0(self, text, recursion):
        if not text:
            return super().check0(text, recursion)
        if "printable" in self.mended and re.search(r"[^\x20-\x7e]", text):
            raise spf.PermError("not printable")
        if "modifiers" in self.mended:
            text = self.known_modifiers(text)
        if "in-turn" not in self.mended:
            return super().check0(text, recursion)
        version, *terms = text.split(" ")
        last = {"exp": None, "redirect": None}
        mechanisms = []
        for term in terms:
            found = MODIFIER.fullmatch(term)
            name = found and found[1]
            if name in last and last[name] is None and self.is_sound(found[2]):
                last[name] = found[2]
            else:
                mechanisms.append(term)
        if any(found and found[1] in last for found in map(MODIFIER.fullmatch, mechanisms)):
            raise spf.PermError("repeated, or unsound")
        mechanisms.append(("ip4:" if self.v == "in-addr" else "ip6:") + END[self.v])
        try:
            answer = super().check0(" ".join([version] + mechanisms), recursion)
        except Through:
            if last["redirect"] is None:
                return ("neutral", 250, "")
            self.check_lookups()
            target = self.expand_domain(last["redirect"])
            record = self.dns_spf(target)
            if not record:
                raise spf.PermError("redirect domain has no SPF record", target)
            return self.check1(record, target, recursion)
        if answer[0] == "fail" and not recursion:
            return ("fail", 550, self.explained(last["exp"]))
        return answer

    def is_sound(self, spec):
        known, self.p = self.p, "unknown"
        try:
            return bool(self.expand_domain(spec))
        except spf.PermError:
            return False
        finally:
            self.p = known

    def explained(self, spec):
        try:
            return spec and self.get_explanation(self.expand_domain(spec)) or spf.EXPLANATIONS["fail"]
        except (spf.PermError, spf.TempError):
            return spf.EXPLANATIONS["fail"]

    def cidrmatch(self, ipaddrs, n):
        for address in ipaddrs:
            if address == END[self.v] and "in-turn" in self.mended:
                raise Through
            if super().cidrmatch([address], n):
                return True
        return False

    def check1(self, text, domain, recursion):
        return super().check1(text, now(domain), recursion)

    def dns_spf(self, domain):
        domain = now(domain)
        # RFC 7208, 4.8 leaves open what a name is worth that DNS cannot have; here, it does not match.
        if "no-name" in self.mended and not is_name(domain):
            return "v=spf1 ?all"
        return super().dns_spf(domain)

    def dns_a(self, domainname, A="A"):
        return super().dns_a(now(domainname), A)

    def dns_mx(self, domainname):
        if "mx-in-order" not in self.mended:
            return super().dns_mx(now(domainname))
        return self.addresses_of(sorted(self.dns(now(domainname), "MX")))

    def addresses_of(self, exchangers):
        for place, (_, host) in enumerate(exchangers):
            if place >= spf.MAX_MX:
                raise spf.PermError("More than %d hosts" % spf.MAX_MX)
            yield from self.dns_a(host, self.A)

    # Void look-ups.

    def check_lookups(self):
        self.of_term = False
        super().check_lookups()

    def dns(self, name, qtype, cnames=None, ignore_void=False):
        if "cache" in self.mended and cnames is None:
            self.cache = {}
        if "void-terms" not in self.mended:
            return super().dns(name, qtype, cnames, ignore_void)
        found = super().dns(name, qtype, cnames, True)
        if not found and not ignore_void and cnames is None and not self.of_term and is_name(str(name).rstrip(".")):
            self.of_term = True
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError("Void lookup limit exceeded")
        return found

    def validated_ptrs(self):
        if "ptr" not in self.mended:
            return super().validated_ptrs()
        try:
            owner = "%s.%s.arpa" % (spf.reverse_dots(self.i), self.v)
            names = self.dns(owner, "PTR", ignore_void=True)[: spf.MAX_PTR]
        except spf.TempError:
            return []
        return [name for name in names if self.leads_back(name)]

    def leads_back(self, name):
        try:
            return self.cidrmatch(self.dns(name, self.A, ignore_void=True) if name else [], self.cidrmax)
        except spf.TempError:
            return False

    # Macros.

    def getp(self):
        if "p-of-domain" in self.mended:
            self.p = None
            domain, self.d = self.d, self.d.lower()
            try:
                return super().getp()
            finally:
                self.d = domain
        return super().getp()

    def expand(self, s, stripdot=True):
        if "macros" in self.mended and not MACRO_STRING.fullmatch(s):
            raise spf.PermError("no macro-string", s)
        if "long-names" not in self.mended:
            return super().expand(s, stripdot)
        if not stripdot:
            # Word by word, as only names have a limit.
            return " ".join(super(Mended, self).expand(word, False) for word in s.split(" "))
        text = super().expand(s, stripdot)
        while len(text) > LONGEST_NAME and "." in text:
            text = text.partition(".")[2]
        return text

    def known_modifiers(self, text):
        version, *terms = text.split(" ")
        kept = []
        for term in terms:
            found = MODIFIER.fullmatch(term)
            if not found:
                kept.append(term)
            elif found[1].lower() in ("redirect", "exp"):
                kept.append(found[1].lower() + "=" + found[2])
            elif not MACRO_STRING.fullmatch(found[2]):
                raise spf.PermError("no macro-string", found[2])
        return " ".join([version] + kept)


def expand_one(expansion, transformers, joiner):
    found = TRANSFORMED.fullmatch(transformers)
    if not found or (found[1] and int(found[1]) == 0):
        raise spf.PermError("no transformers", transformers)
    if not transformers:
        return expansion
    parts = re.split("[" + re.escape(found[3] or ".") + "]", expansion)
    if found[2]:
        parts.reverse()
    if found[1]:
        parts = parts[-int(found[1]) :]
    return ".".join(parts)


EXPAND_ONE = spf.expand_one


def answer(question):
    spf.expand_one = expand_one if "macros" in question["mended"] else EXPAND_ONE
    arguments = {name: question[key] for name, key in (("i", "client"), ("s", "sender"), ("h", "helo"))}
    arguments.update(receiver=question["receiver"], strict=True)
    if question["mended"]:
        query = Mended(question["mended"], **arguments)
    else:
        query = spf.query(**arguments)
    result, _, explanation = query.check()
    given = explanation if result == "fail" and explanation != spf.EXPLANATIONS["fail"] else None
    return {"result": result, "explanation": given, "says": explanation}


for line in sys.stdin:
    try:
        told = answer(json.loads(line))
    except Exception as error:  # what ends pyspf is a result as well
        told = {"result": "raised " + type(error).__name__, "explanation": None, "says": str(error)}
    print(json.dumps(told), flush=True)
