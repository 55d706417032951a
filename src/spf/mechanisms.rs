//! Whether a mechanism matches (RFC 7208, 5).

use std::net::IpAddr;

use ipnet::IpNet;
use tokio::time::Instant;
use viaspf_record::{A, DomainSpec, DualCidrLength, Exists, Include, Ip4, Ip6, Mechanism, Mx, Ptr};

use super::cause::End;
use super::check_host::Evaluation;
use super::macros::{UNKNOWN, is_name};
use super::{Found, NotFound, Records};

/// The share of an evaluation's time, as its divisor, that the names of the client may take. Its reverse zone is the
/// client's own: it may cost the client a match, and never the others their result.
const PTR_SHARE: u32 = 4;

impl<R: Records> Evaluation<'_, R> {
    /// Whether the mechanism matches, or how the evaluation ends with it.
    pub(super) async fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Result<bool, End> {
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip4(Ip4 { addr, prefix_len }) => {
                Ok(self.is_client(IpAddr::V4(*addr), prefix_len.map(viaspf_record::Ip4CidrLength::get)))
            }
            Mechanism::Ip6(Ip6 { addr, prefix_len }) => {
                Ok(self.is_client(IpAddr::V6(*addr), prefix_len.map(viaspf_record::Ip6CidrLength::get)))
            }
            // All others ask DNS (RFC 7208, 4.6.4).
            Mechanism::Include(include) => self.include(include, domain).await,
            Mechanism::A(a) => self.a(a, domain).await,
            Mechanism::Mx(mx) => self.mx(mx, domain).await,
            Mechanism::Ptr(ptr) => self.ptr(ptr, domain).await,
            Mechanism::Exists(exists) => self.exists(exists, domain).await,
        }
    }

    /// Counts a term, and says what it is about. A target that is no name matches nothing: RFC 7208, 4.8 leaves the
    /// choice, and were it an error, whoever chooses a local-part could choose the result.
    async fn counted(&mut self, spec: Option<&DomainSpec>, domain: &str) -> Result<Option<String>, End> {
        self.count_lookup()?;
        Ok(self.target(spec, domain).await)
    }

    async fn include(&mut self, include: &Include, domain: &str) -> Result<bool, End> {
        match self.counted(Some(&include.domain_spec), domain).await? {
            None => Ok(false),
            Some(name) => self.check_host(&name, true).await.of_included(),
        }
    }

    async fn a(&mut self, a: &A, domain: &str) -> Result<bool, End> {
        let Some(name) = self.counted(a.domain_spec.as_ref(), domain).await? else { return Ok(false) };
        let addresses = self.addresses(&name).await?;
        if addresses.is_empty() {
            self.count_void_lookup()?;
        }
        let length = self.length(a.prefix_len);
        Ok(addresses.into_iter().any(|address| self.is_client(address, length)))
    }

    async fn mx(&mut self, mx: &Mx, domain: &str) -> Result<bool, End> {
        let Some(name) = self.counted(mx.domain_spec.as_ref(), domain).await? else { return Ok(false) };
        let dns = self.dns;
        let found = self.ask("MX", &name, None, dns.mx(&name)).await;
        let mut exchangers = some(found, "MX", &name)?;
        // RFC 7208, 4.6.4 limits the terms whose queries come back empty, not the queries.
        let mut is_void = exchangers.is_empty();
        if is_void {
            self.count_void_lookup()?;
        }
        let length = self.length(mx.prefix_len);
        // An answer may have thousands of names, and all but those are held in vain while the first are looked up.
        exchangers.retain(|exchanger| is_host(exchanger));
        exchangers.truncate(self.options.lookups + 1);
        exchangers.shrink_to_fit();
        for (at, exchanger) in exchangers.iter().enumerate() {
            // RFC 7208, 4.6.4.
            if at >= self.options.lookups {
                return Err(End::too_many_hosts(&name, self.options));
            }
            let addresses = self.addresses(exchanger).await?;
            if addresses.is_empty() && !is_void {
                is_void = true;
                self.count_void_lookup()?;
            }
            if addresses.into_iter().any(|address| self.is_client(address, length)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn ptr(&mut self, ptr: &Ptr, domain: &str) -> Result<bool, End> {
        let Some(target) = self.counted(ptr.domain_spec.as_ref(), domain).await? else { return Ok(false) };
        // What the client's reverse zone lacks never counts as void: the client could switch `-all` off by it.
        Ok(self.validated().await.iter().any(|name| is_within(name, &target)))
    }

    async fn exists(&mut self, exists: &Exists, domain: &str) -> Result<bool, End> {
        let Some(name) = self.counted(Some(&exists.domain_spec), domain).await? else { return Ok(false) };
        let dns = self.dns;
        // RFC 7208, 5.7: A, whatever the client's address is.
        let found = self.ask("A", &name, None, dns.a(&name)).await;
        let exists = !some(found, "A", &name)?.is_empty();
        if !exists {
            self.count_void_lookup()?;
        }
        Ok(exists)
    }

    /// The client's name for the macro `%{p}` (RFC 7208, 7.3): the domain itself, else a name below it, else any.
    pub(super) async fn validated_name(&mut self, domain: &str) -> String {
        let names = self.validated().await;
        let is_it = |name: &&String| name.eq_ignore_ascii_case(domain);
        let chosen = names.iter().find(is_it).or_else(|| names.iter().find(|name| is_within(name, domain)));
        chosen.or(names.first()).cloned().unwrap_or_else(|| UNKNOWN.to_owned())
    }

    /// The client's names that lead back to its address (RFC 7208, 5.5). They are looked up once.
    async fn validated(&mut self) -> &[String] {
        if self.validated.is_none() {
            self.validated = Some(self.validate().await);
        }
        self.validated.as_deref().unwrap_or_default()
    }

    /// Trouble with a name means that it is skipped, and trouble with all that there is none (RFC 7208, 5.5).
    async fn validate(&mut self) -> Vec<String> {
        let limit = Instant::now() + self.options.time / PTR_SHARE;
        let (dns, client) = (self.dns, self.identity.client);
        let names =
            self.ask("PTR", &client.to_string(), Some(limit), dns.ptr(client)).await.unwrap_or_default();
        let mut validated = Vec::new();
        // RFC 7208, 4.6.4: all but the first ten are ignored.
        let names: Vec<String> =
            names.iter().filter(|name| is_host(name)).take(self.options.lookups).cloned().collect();
        for name in names {
            let addresses = self.look_up(&name, Some(limit)).await.unwrap_or_default();
            if addresses.contains(&client) {
                validated.push(name);
            }
        }
        validated
    }

    /// The addresses of a host that a term is about, of the client's family; none are no error (RFC 7208, 5).
    async fn addresses(&mut self, host: &str) -> Result<Vec<IpAddr>, End> {
        let found = self.look_up(host, None).await;
        some(found, if self.identity.client.is_ipv4() { "A" } else { "AAAA" }, host)
    }

    /// The addresses of a host, of the client's family.
    async fn look_up(&mut self, host: &str, limit: Option<Instant>) -> Found<IpAddr> {
        let dns = self.dns;
        if self.identity.client.is_ipv4() {
            let found = self.ask("A", host, limit, dns.a(host)).await?;
            Ok(found.into_iter().map(IpAddr::V4).collect())
        } else {
            let found = self.ask("AAAA", host, limit, dns.aaaa(host)).await?;
            Ok(found.into_iter().map(IpAddr::V6).collect())
        }
    }

    /// Whether the client is in the network around an address; without a prefix length, whether it is the address.
    fn is_client(&self, address: IpAddr, length: Option<u8>) -> bool {
        let client = self.identity.client;
        match length {
            None => address == client,
            Some(length) => IpNet::new(address, length).is_ok_and(|network| network.contains(&client)),
        }
    }

    /// The prefix length for the client's family.
    fn length(&self, lengths: Option<DualCidrLength>) -> Option<u8> {
        let lengths = lengths?;
        if self.identity.client.is_ipv4() {
            lengths.ip4().map(viaspf_record::Ip4CidrLength::get)
        } else {
            lengths.ip6().map(viaspf_record::Ip6CidrLength::get)
        }
    }
}

/// The records; none are no error, and DNS that fails is temperror (RFC 7208, 5).
fn some<T>(found: Found<T>, record_type: &str, name: &str) -> Result<Vec<T>, End> {
    match found {
        Err(NotFound::NoRecords) => Ok(Vec::new()),
        Err(NotFound::Failed(why)) => Err(End::dns(&why, record_type, name)),
        Ok(records) => Ok(records),
    }
}

/// Whether a name out of an answer could be a host; a null MX (RFC 7505) is none.
pub(super) fn is_host(name: &str) -> bool {
    name.bytes().all(|octet| octet.is_ascii_graphic()) && is_name(name)
}

/// Whether a name is another one or below it.
fn is_within(name: &str, domain: &str) -> bool {
    let begin = name.len().checked_sub(domain.len());
    begin.and_then(|begin| Some((name.get(..begin)?, name.get(begin..)?))).is_some_and(|(front, end)| {
        end.eq_ignore_ascii_case(domain) && (front.is_empty() || front.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_within_a_domain() {
        for (name, domain, expected) in [
            ("example.org", "example.org", true),
            ("Mail.Example.ORG", "example.org", true),
            ("xexample.org", "example.org", false),
            ("org", "example.org", false),
            ("-.example.org", "example.org", true),
            ("ü.org", "x.org", false),
        ] {
            assert_eq!(is_within(name, domain), expected, "{name}");
        }
    }

    #[test]
    fn hosts() {
        for (name, expected) in [
            ("-mx-.example", true),
            ("mx", true),
            ("", false),
            ("a..b", false),
            ("a b.example", false),
            ("ü.example", false),
        ] {
            assert_eq!(is_host(name), expected, "{name}");
        }
    }
}
