//! Which addresses a source may have. A connection is written by people who may not otherwise reach the cluster's own
//! network, so private addresses are refused unless the connection says that its source lies there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use domain::employee::Failure;

/// Longest time to reach one address.
const CONNECT: Duration = Duration::from_secs(10);

/// Why a name leads nowhere a source may lie.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unresolved {
    /// It has no address.
    #[error("does not resolve")]
    Unknown,
    /// It has an address of this kind.
    #[error("resolves to a {0} address")]
    Refused(&'static str),
}

/// The addresses of a name, if all of them may be had: the addresses that are checked are the addresses that are used,
/// so a name cannot change its meaning in between.
pub(super) async fn resolve(name: &str, port: u16, allowed: bool) -> Result<Vec<SocketAddr>, Unresolved> {
    let found = tokio::net::lookup_host((name, port)).await.map_err(|_| Unresolved::Unknown)?;
    let found: Vec<SocketAddr> = found.collect();
    match found.iter().find_map(|address| refused(address.ip())) {
        Some(kind) if !allowed => Err(Unresolved::Refused(kind)),
        _ if found.is_empty() => Err(Unresolved::Unknown),
        _ => Ok(found),
    }
}

/// The same, as an answer of a poll.
pub(super) async fn lookup(host: &str, port: u16, allowed: bool) -> Result<Vec<SocketAddr>, Failure> {
    resolve(host, port, allowed).await.map_err(|why| match why {
        Unresolved::Unknown => Failure::Unreachable(format!("{host} {why}")),
        Unresolved::Refused(_) => Failure::AddressRefused(format!("{host} {why}")),
    })
}

/// Connects to the first of these addresses that answers.
pub(super) async fn reach(host: &str, addresses: &[SocketAddr]) -> Result<TcpStream, Failure> {
    let mut late = false;
    for address in addresses {
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(_)) => {}
            Err(_) => late = true,
        }
    }
    let within = if late { format!(" within {} s", CONNECT.as_secs()) } else { String::new() };
    Err(Failure::Unreachable(format!("no connection to {host}{within}")))
}

/// Why an address is refused: what kind it is. None, when it is a public one.
pub(super) fn refused(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => refused_v4(address),
        IpAddr::V6(address) => refused_v6(address),
    }
}

/// Whether this host is near: on this machine, or on a network of one's own. Only there a definition
/// may ask without TLS, and only where the connection allows private addresses.
pub(super) fn is_near(host: &str) -> bool {
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) => refused(address).is_some_and(|kind| kind == "loopback" || kind.starts_with("private")),
        // RFC 6761; ICANN's name for private use; names of services in a cluster.
        Err(_) => {
            let ends = [".localhost", ".internal", ".svc", ".cluster.local"];
            host == "localhost" || ends.iter().any(|end| host.ends_with(end))
        }
    }
}

/// IANA's special-purpose registry of IPv4 (RFC 6890 and later).
fn refused_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [0, ..] => Some("unspecified"),
        [127, ..] => Some("loopback"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some("private"),
        [169, 254, ..] => Some("link-local"),
        [100, 64..=127, ..] => Some("shared (carrier-grade NAT)"),
        [224..=239, ..] => Some("multicast"),
        [192, 0, 0 | 2, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] | [240..=255, ..] => {
            Some("reserved")
        }
        _ => None,
    }
}

/// IANA's special-purpose registry of IPv6. Addresses that carry an IPv4 address are what that one is.
fn refused_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_unspecified() {
        return Some("unspecified");
    }
    if address.is_loopback() {
        return Some("loopback");
    }
    let carried = |high: u16, low: u16| refused_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match address.segments() {
        // Mapped, the old compatible form, NAT64, 6to4.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            carried(high, low)
        }
        [0x64, 0xff9b, 1, ..] => Some("private (NAT64)"),
        [0xfc00..=0xfdff, ..] => Some("private (unique local)"),
        [0xfe80..=0xfebf, ..] => Some("link-local"),
        [0xfec0..=0xfeff, ..] => Some("private (site-local)"),
        [0xff00..=0xffff, ..] => Some("multicast"),
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x100, 0, 0, 0, ..] => Some("reserved"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_that_is_not_public_is_refused() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.96.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:a00:1::",
            "2001:db8::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(refused(address.parse().unwrap()).is_some(), "{address}");
        }
    }

    #[test]
    fn what_is_near_is_told_from_what_is_not() {
        for host in ["127.0.0.1", "10.1.2.3", "[::1]", "[fd00::1]", "localhost", "hr.localhost", "fake.rollcall.svc"] {
            assert!(is_near(host), "{host}");
        }
        for host in ["1.1.1.1", "169.254.169.254", "[2606::1]", "hr.example.com", "localhost.example.com", "svc"] {
            assert!(!is_near(host), "{host}");
        }
    }

    #[test]
    fn a_public_address_is_not_refused() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.167.1.1",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2606:4700:4700::1111",
            "2a00:1450:4001:81b::200e",
        ] {
            assert_eq!(refused(address.parse().unwrap()), None, "{address}");
        }
    }
}
