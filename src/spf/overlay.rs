//! DNS as it would be with one record changed: for records that are still to be published.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Found, Records};

/// DNS where a name has one TXT record, whatever is published.
#[derive(Debug)]
pub struct Overlay<'a, D> {
    /// DNS as it is.
    pub dns: &'a D,
    /// The name.
    pub name: &'a str,
    /// Its record.
    pub record: &'a str,
}

impl<D: Records> Records for Overlay<'_, D> {
    fn a(&self, name: &str) -> impl Future<Output = Found<Ipv4Addr>> + Send {
        self.dns.a(name)
    }

    fn aaaa(&self, name: &str) -> impl Future<Output = Found<Ipv6Addr>> + Send {
        self.dns.aaaa(name)
    }

    fn mx(&self, name: &str) -> impl Future<Output = Found<String>> + Send {
        self.dns.mx(name)
    }

    async fn txt(&self, name: &str) -> Found<String> {
        if name.trim_end_matches('.').eq_ignore_ascii_case(self.name) {
            return Ok(vec![self.record.to_owned()]);
        }
        self.dns.txt(name).await
    }

    fn ptr(&self, address: IpAddr) -> impl Future<Output = Found<String>> + Send {
        self.dns.ptr(address)
    }
}
