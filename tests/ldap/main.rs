//! Directories (LDAP) as sources of recipients and grants and as tables of Postfix, with a real slapd behind them.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "../support/daemon.rs"]
mod daemon;
#[path = "../support/host.rs"]
mod host;
#[path = "../support/mta.rs"]
mod mta;
#[path = "../support/postfix.rs"]
mod postfix;
#[path = "../support/postfix_dir.rs"]
mod postfix_dir;
#[path = "../support/sink.rs"]
mod sink;
#[path = "../support/slapd.rs"]
mod slapd;
#[path = "../support/smtp.rs"]
mod smtp;
#[path = "../support/tls.rs"]
mod tls;

mod end_to_end;
mod grants;
mod recipients;
mod stranger;
mod tables;

use lockdown_milter::clients::directory::{Referrals, Scope, Settings, Template};

/// People of the directory, and one group.
const PEOPLE: &str = "\
dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: uid=alice,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: A
mail: alice@example.org
mail: a.alice@example.org

dn: uid=bob,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: extensibleObject
uid: bob
cn: Bob
sn: B
mail: bob@example.org
mail: @sales.example
description: ceo@example.org, cfo@example.org
description: SMTP:odd
proxyAddresses: SMTP:CEO@Exchange.example
proxyAddresses: smtp:a.liddell@exchange.example
proxyAddresses: X500:/o=Org/ou=x, chef@exchange.example, *
proxyAddresses: sip:sip@exchange.example
proxyAddresses: eum:1234;phone-context=dial.exchange.example
proxyAddresses: smtp: blank@exchange.example
proxyAddresses: mailto:mailto@exchange.example
proxyAddresses: smtp:@wild.example

dn: uid=boss,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: boss
cn: The Boss
sn: C
mail: \"the boss\"@example.org

dn: cn=*)(uid\\3D*,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: *)(uid=*
uid: star
sn: S
mail: \"*)(uid=*\"@example.org
mail: \"a\\\\b\"@example.org
mail: '--@example.org
mail: %s@example.org

";

/// What an Active Directory refers to in every search from the root of a domain.
const APPLICATION_PARTITIONS: &str = "\
dn: dc=DomainDnsZones,dc=example,dc=org
objectClass: referral
objectClass: extensibleObject
dc: DomainDnsZones
ref: ldap://DomainDnsZones.example.org/DC=DomainDnsZones,DC=example,DC=org

dn: dc=ForestDnsZones,dc=example,dc=org
objectClass: referral
objectClass: extensibleObject
dc: ForestDnsZones
ref: ldap://ForestDnsZones.example.org/DC=ForestDnsZones,DC=example,DC=org

dn: cn=Configuration,dc=example,dc=org
objectClass: referral
objectClass: extensibleObject
cn: Configuration
ref: ldap://example.org/CN=Configuration,DC=example,DC=org

";

/// A domain below, which may hold mailboxes.
const CHILD_DOMAIN: &str = "\
dn: dc=sub,dc=example,dc=org
objectClass: referral
objectClass: extensibleObject
dc: sub
ref: ldap://sub.example.org/DC=sub,DC=example,DC=org

";

/// A directory with this question, below the people.
fn settings(url: &str, filter: &str, places: &[&'static str]) -> Settings {
    Settings {
        servers: vec![url.parse().unwrap()],
        base: Template::parse("ou=people,dc=example,dc=org", places).unwrap(),
        filter: Template::parse(filter, places).unwrap(),
        scope: Scope::Sub,
        referrals: Referrals::Ignore,
        bind: None,
        start_tls: false,
        ca_file: None,
    }
}
