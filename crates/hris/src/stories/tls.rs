//! A source behind TLS, on this machine: its own authority, and what it wants to be shown.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::*;

/// An authority nobody knows.
pub(super) struct Authority {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// A certificate of its own for a name, and its key.
    fn certifies(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// What a server called `localhost` needs. `wanted` is who has to have certified its clients.
    pub(super) fn server(&self, wanted: Option<&Self>) -> ServerConfig {
        let (certificate, key) = self.certifies("localhost");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let config = match wanted {
            None => config.unwrap().with_no_client_auth(),
            Some(wanted) => {
                let mut roots = RootCertStore::empty();
                roots.add(wanted.der.clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                config.unwrap().with_client_cert_verifier(verifier)
            }
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        config.with_single_cert(vec![certificate.der().clone()], key).unwrap()
    }

    pub(super) fn network(&self) -> Network {
        Network { authorities: authorities(self.pem.as_bytes()).unwrap(), ..NEAR.clone() }
    }
}

/// Accepts every connection that completes TLS.
struct Guarded {
    tcp: TcpListener,
    tls: TlsAcceptor,
}

impl Listener for Guarded {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.tcp.accept().await.unwrap();
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

pub(super) async fn serve_tls(config: ServerConfig, router: Router) -> String {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", tcp.local_addr().unwrap().port());
    let guarded = Guarded { tcp, tls: TlsAcceptor::from(Arc::new(config)) };
    tokio::spawn(async move { axum::serve(guarded, router).await.unwrap() });
    url
}

async fn read(source: &Source, network: &Network) -> Result<usize, Failure> {
    Ok(read_with(source, network, LONG, TODAY, HURRIED).await?.employees.len())
}

fn csv() -> Router {
    Router::new().fallback(|| async { CSV })
}

#[tokio::test]
async fn an_authority_of_a_connections_own_is_trusted_by_it_alone() {
    let (own, other) = (Authority::new(), Authority::new());
    let source = file(&serve_tls(own.server(None), csv()).await);
    assert_eq!(read(&source, &own.network()).await, Ok(1));
    for network in [NEAR.clone(), other.network()] {
        let Err(Failure::Unreachable(why)) = read(&source, &network).await else { panic!("trusted") };
        assert!(why.starts_with("no TLS with localhost: "), "{why}");
    }
}

#[tokio::test]
async fn a_source_that_wants_a_certificate_is_shown_it_on_the_way_to_the_token_and_to_the_data() {
    let (own, people) = (Authority::new(), Authority::new());
    let token = || async { json!({"access_token": "t"}).to_string() };
    let list = || async { json!({"data": [{"name": "Ada Example", "email": "ada@example.com"}]}).to_string() };
    let router =
        Router::new().route("/token", axum::routing::post(token)).route("/api/people", axum::routing::get(list));
    let url = serve_tls(own.server(Some(&people)), router).await;
    let definition = |auth: &str| {
        let text = format!(
            "name: tls\ntitle: TLS\nevidence: documented\nsources: [https://hr.example.com]\nsetup: none\n\
             baseUrl: {url}/api\ncredentials: {{certificate: a certificate, key: its key}}\nauth:\n  \
             token: {{url: '{url}/token', body: {{grant_type: client_credentials}}}}\n  {auth}\n\
             people: [{{request: {{path: /people}}, records: data}}]\nfields: {{fullName: name, email: email}}\n"
        );
        Definition::parse("tls.yaml", &text).unwrap()
    };
    let shown = "clientCertificate: {certificate: '{certificate}', key: '{key}'}";
    let (certificate, key) = people.certifies("rollcall");
    let (foreign, foreign_key) = own.certifies("rollcall");
    let source = |certificate: &str, key: &str| {
        let keys = [("certificate", certificate), ("key", key)];
        let credentials = keys.map(|(name, pem)| (name.to_owned(), SecretString::from(pem))).into();
        ApiSource {
            definition: definition(shown),
            parameters: BTreeMap::new(),
            credentials,
            token_store: None,
            clock: then,
        }
    };
    let api = |source: ApiSource| Source::Api(Box::new(source));

    let good = source(&certificate.pem(), &key.serialize_pem());
    assert_eq!(read(&api(good), &own.network()).await, Ok(1));
    let stranger = read(&api(source(&foreign.pem(), &foreign_key.serialize_pem())), &own.network()).await;
    assert!(matches!(stranger, Err(Failure::Unreachable(_))), "{stranger:?}");
    for (certificate, key) in [(certificate.pem(), foreign_key.serialize_pem()), ("Ada".into(), "Example".into())] {
        let unfit = api(source(&certificate, &key));
        assert_eq!(check(&unfit).unwrap_err(), "certificate and key are no pair in PEM");
        let failure = Failure::Unauthorised("certificate and key are no pair in PEM".into());
        assert_eq!(read(&unfit, &own.network()).await, Err(failure));
    }
}
