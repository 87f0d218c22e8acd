//! What a source is reached by: TLS and its authorities, a proxy, and the addresses it may have.

use std::error::Error as StdError;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, Identity, Proxy, Url, redirect};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::super::address::{self, Unresolved, refused};
use super::Wrong;
use domain::employee::Failure;

/// Longest time to reach a host, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// Under this name we are seen in the logs of the source.
const USER_AGENT: &str = concat!("rollcall/", env!("CARGO_PKG_VERSION"));

/// What a source may be reached by.
#[derive(Clone, Default)]
pub struct Network {
    /// It may lie at a private, loopback, link-local or cluster address, and be asked without TLS.
    pub allow_private_addresses: bool,
    /// Authorities that are trusted in addition to the public ones.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The proxy that all of it goes through.
    pub proxy: Option<Url>,
    /// How far a read is, for who watches it.
    pub progress: Option<Arc<Progress>>,
}

/// How far a read is.
#[derive(Debug, Default)]
pub struct Progress {
    answers: AtomicUsize,
    bytes: AtomicUsize,
}

impl Progress {
    /// How many answers have come, and how many bytes of them.
    #[must_use]
    pub fn so_far(&self) -> (usize, usize) {
        (self.answers.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    pub(crate) fn came(&self, bytes: usize) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Network");
        shown.field("allow_private_addresses", &self.allow_private_addresses);
        shown.field("authorities", &self.authorities.len()).field("proxy", &self.proxy.is_some()).finish()
    }
}

/// The authorities in a PEM file.
///
/// # Errors
/// In words, when there is none, or one that cannot be trusted.
pub fn authorities(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|_| "no certificates in PEM".to_owned())?;
    if found.is_empty() {
        return Err("no certificate in PEM".to_owned());
    }
    let mut store = RootCertStore::empty();
    let each = found.into_iter().enumerate().map(|(number, certificate)| {
        let unfit = || format!("certificate {} is none that can be trusted", number + 1);
        store.add(certificate.clone()).map_err(|_| unfit())?;
        Certificate::from_der(&certificate).map_err(|_| unfit())?;
        Ok(certificate)
    });
    each.collect()
}

/// The address of a proxy.
///
/// # Errors
/// In words, when it is none that can be used.
pub fn proxy(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "no URL".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("neither http:// nor https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it carries a user name or password, which cannot be kept secret there".to_owned());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("more than scheme, host and port".to_owned());
    }
    Ok(url)
}

/// A certificate and its key that are shown to a source.
///
/// # Errors
/// In words, when they are no pair in PEM.
pub(crate) fn identity(certificate: &str, key: &str) -> Result<Identity, String> {
    provider();
    let no_pair = || "certificate and key are no pair in PEM".to_owned();
    let identity = Identity::from_pem(format!("{certificate}\n{key}\n").as_bytes()).map_err(|_| no_pair())?;
    let shown = Client::builder().tls_certs_only([]).no_proxy().identity(identity.clone()).build();
    shown.map(|_| identity).map_err(|_| no_pair())
}

/// The client of one poll.
pub(super) fn client(network: &Network, identity: Option<Identity>) -> Result<Client, Failure> {
    provider();
    let trusted = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().chain(&network.authorities);
    let trusted = trusted.filter_map(|root| Certificate::from_der(root).ok());
    let client = Client::builder()
        .user_agent(USER_AGENT)
        .tls_certs_only(trusted) // the image holds none of its own
        .dns_resolver(Resolver { allowed: network.allow_private_addresses })
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT);
    let client = match &network.proxy {
        None => client,
        Some(url) => {
            literal(url, network)?;
            let proxy = Proxy::all(url.clone()).map_err(|_| Failure::AddressRefused("no proxy".to_owned()))?;
            client.proxy(proxy)
        }
    };
    let client = identity.into_iter().fold(client, reqwest::ClientBuilder::identity);
    client.build().map_err(|_| Failure::Unreachable("TLS cannot be set up".to_owned()))
}

/// Chooses who does the arithmetic of TLS.
fn provider() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error says that somebody else has chosen already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Whether an address may be asked at all. Names are checked again when they are resolved.
///
/// # Errors
/// `AddressRefused`.
pub(super) fn check(url: &Url, network: &Network) -> Result<(), Failure> {
    let refuse = |why: String| Err(Failure::AddressRefused(why));
    let host = url.host_str().unwrap_or_default();
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("the URL carries a user name or password; put them into the Secret".to_owned());
    }
    match url.scheme() {
        "https" => {}
        "http" if network.allow_private_addresses => {}
        "http" => return refuse(format!("{host} would be asked without TLS")),
        _ => return refuse("neither https:// nor http://".to_owned()),
    }
    literal(url, network)
}

/// An address that is written out may not be one that a name could not have.
fn literal(url: &Url, network: &Network) -> Result<(), Failure> {
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    match literal.and_then(refused) {
        Some(kind) if !network.allow_private_addresses => {
            Err(Failure::AddressRefused(format!("{host} is a {kind} address")))
        }
        _ => Ok(()),
    }
}

/// Resolves names, and refuses those that lead to an address a source may not have: the addresses that are checked
/// are the addresses that are used, so a name cannot change its meaning in between. Behind a proxy the only name that
/// is resolved here is the proxy's.
struct Resolver {
    allowed: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.allowed;
        Box::pin(async move {
            let found = address::resolve(name.as_str(), 0, allowed).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Says why no answer came.
pub(super) fn unreachable(url: &Url, network: &Network, error: &reqwest::Error) -> Wrong {
    if error.is_builder() {
        return Wrong::Final(Failure::Unauthorised("the credential holds characters no header can carry".to_owned()));
    }
    let host = url.host_str().unwrap_or_default();
    let proxy = network.proxy.as_ref().and_then(Url::host_str);
    let resolved = proxy.map_or_else(|| host.to_owned(), |proxy| format!("the proxy {proxy}"));
    let through = if proxy.is_some() { " through the proxy" } else { "" };
    let fault = |why: String| Wrong::Fault(Failure::Unreachable(why));
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(seen) = cause {
        match (seen.downcast_ref::<Unresolved>(), seen.downcast_ref::<rustls::Error>()) {
            (Some(why @ Unresolved::Refused(_)), _) => {
                return Wrong::Final(Failure::AddressRefused(format!("{resolved} {why}")));
            }
            (Some(why), _) => return fault(format!("{resolved} {why}")),
            (_, Some(why)) => return fault(format!("no TLS with {host}{through}: {why}")),
            _ => {}
        }
        // An I/O error passes over what it holds when it is asked for its source.
        let held = seen.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = held.map_or_else(|| seen.source(), |held| Some(held));
    }
    match (error.is_timeout(), error.is_connect()) {
        (true, _) => fault(format!("no connection to {host}{through} within {} s", CONNECT.as_secs())),
        (_, true) => fault(format!("no connection to {host}{through}")),
        _ => fault(format!("the connection to {host} was lost")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(allow_private_addresses: bool) -> Network {
        Network { allow_private_addresses, ..Network::default() }
    }

    fn verdict(url: &str, private: bool) -> Result<(), Failure> {
        check(&Url::parse(url).unwrap(), &network(private))
    }

    #[test]
    fn only_public_addresses_over_tls_are_asked_unless_private_ones_are_allowed() {
        for (url, public, private) in [
            ("https://hr.example.com/people.csv", true, true),
            ("https://1.1.1.1/", true, true),
            ("http://hr.example.com/", false, true),
            ("https://127.0.0.1/", false, true),
            ("https://0x7f.1/", false, true),
            ("https://2130706433/", false, true),
            ("https://[::1]/", false, true),
            ("https://[::ffff:10.0.0.1]/", false, true),
            ("https://169.254.169.254/latest/meta-data", false, true),
            ("https://user@hr.example.com/", false, false),
            ("https://user:word@hr.example.com/", false, false),
            ("ftp://hr.example.com/", false, false),
            ("file:///etc/passwd", false, false),
        ] {
            assert_eq!(verdict(url, false).is_ok(), public, "{url}");
            assert_eq!(verdict(url, true).is_ok(), private, "{url}");
        }
    }

    #[test]
    fn a_refused_url_is_not_quoted() {
        let Err(Failure::AddressRefused(why)) = verdict("http://hr.example.com/list?token=s3cret", false) else {
            panic!("not refused");
        };
        assert_eq!(why, "hr.example.com would be asked without TLS");
    }

    #[test]
    fn a_proxy_is_a_host_and_a_port_and_nothing_secret() {
        for good in ["http://proxy.example.com:3128", "https://proxy.example.com", "http://10.0.0.1:8080/"] {
            assert!(proxy(good).is_ok(), "{good}");
        }
        for bad in [
            "proxy.example.com:3128",
            "socks5://proxy.example.com",
            "http://",
            "http://me:s3cret@proxy.example.com",
            "http://me@proxy.example.com",
            "http://proxy.example.com/path",
            "http://proxy.example.com?x=1",
        ] {
            let why = proxy(bad).unwrap_err();
            assert!(!why.contains("s3cret") && !why.contains("example"), "{why}");
        }
    }

    #[test]
    fn a_proxy_has_an_address_that_a_source_may_have() {
        let at = |url: &str, private| client(&Network { proxy: Some(proxy(url).unwrap()), ..network(private) }, None);
        assert!(at("http://10.0.0.1:3128", true).is_ok());
        assert!(at("http://proxy.example.com:3128", false).is_ok());
        let refused = at("http://10.0.0.1:3128", false).map(|_| ());
        assert_eq!(refused, Err(Failure::AddressRefused("10.0.0.1 is a private address".to_owned())));
    }

    #[test]
    fn authorities_are_certificates_in_pem_and_nothing_else() {
        let none = "-----BEGIN CERTIFICATE-----\nYWRh\n-----END CERTIFICATE-----\n";
        for (pem, why) in [
            ("", "no certificate in PEM"),
            ("Ada", "no certificate in PEM"),
            ("-----BEGIN CERTIFICATE-----\nYWRh", "no certificates in PEM"),
            (none, "certificate 1 is none that can be trusted"),
        ] {
            assert_eq!(authorities(pem.as_bytes()).err().as_deref(), Some(why), "{pem}");
        }
    }
}
