//! When a domain that was authenticated speaks for the domain in From (RFC 7489, 3.1).

use crate::mail::Domain;

/// Whether two domains belong to one organisation: relaxed alignment.
pub fn is_aligned(authenticated: &Domain, claimed: &Domain) -> bool {
    authenticated == claimed || authenticated.organisation() == claimed.organisation()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organisations() {
        let aligned = |a: &str, b: &str| is_aligned(&a.parse().unwrap(), &b.parse().unwrap());
        assert!(aligned("example.org", "example.org"));
        assert!(aligned("bounce.example.org", "example.org"));
        assert!(aligned("a.example.co.uk", "b.example.co.uk"));
        assert!(!aligned("a.co.uk", "b.co.uk"));
        assert!(!aligned("example.org", "example.com"));
        assert!(!aligned("notexample.org", "example.org"));
        assert!(!aligned("org", "example.org"));
    }
}
