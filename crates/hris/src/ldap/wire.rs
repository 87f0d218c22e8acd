//! A connection to a directory: reached, behind TLS, signed in, one request at a time. Bounded in what it takes.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::message::{self, Said};
use super::{Ldap, LdapLogin, ber, codes};
use crate::address;
use crate::http::Network;
use domain::employee::{Directory, Failure};

/// Longest wait for one message of the server. RFC 4511 has none; a server that looks through everything takes its time.
const ANSWER: Duration = Duration::from_secs(60);
/// Longest time for TLS to begin.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Largest message: one person with the attributes that are mapped.
const LARGEST: usize = 1024 * 1024;
/// Most bytes of one answer.
const MOST: usize = 256 * 1024 * 1024;
/// Bytes taken at once.
const PIECE: usize = 32 * 1024;

/// A connection, and what came over it and was not read yet.
pub(super) struct Wire<S> {
    stream: S,
    host: String,
    bytes: Vec<u8>,
    /// How far of them was read.
    read: usize,
    came: usize,
    id: u32,
}

/// What is shown and trusted in TLS.
///
/// # Errors
/// In words: certificate and key are no pair.
pub(super) fn tls(network: &Network, login: &LdapLogin) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    for own in &network.authorities {
        roots.add(own.clone()).map_err(|_| "an authority is none that can be trusted".to_owned())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|_| "TLS cannot be set up".to_owned())?.with_root_certificates(roots);
    let LdapLogin::Certificate { certificate, key } = login else { return Ok(config.with_no_client_auth()) };
    let no_pair = || "certificate and key are no pair in PEM".to_owned();
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.expose_secret().as_bytes()).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(no_pair)?;
    let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes()).map_err(|_| no_pair())?;
    config.with_client_auth_cert(chain, key).map_err(|_| no_pair())
}

/// Reaches the server, speaks TLS with it, and signs in.
///
/// # Errors
/// See `Failure`: never a name, a password, or a word the server chose.
pub(super) async fn open(ldap: &Ldap, network: &Network) -> Result<Wire<TlsStream<TcpStream>>, Failure> {
    let config = tls(network, &ldap.login).map_err(Failure::Unauthorised)?;
    let host = ldap.host.as_str();
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Failure::Unreachable("the host is neither a name nor an address".to_owned()))?;
    let addresses = address::lookup(host, ldap.port, network.allow_private_addresses).await?;
    let stream = address::reach(host, &addresses).await?;
    let stream = if ldap.start_tls { Wire::new(stream, host).asks_for_tls().await? } else { stream };
    let connector = TlsConnector::from(Arc::new(config));
    let stream = timeout(HANDSHAKE, connector.connect(name, stream)).await;
    let stream = stream.map_err(|_| Failure::Unreachable(format!("no TLS with {host} within 10 s")))?;
    let stream = stream.map_err(|error| no_tls(host, &error))?;
    let mut wire = Wire::new(stream, host);
    wire.sign_in(&ldap.login).await?;
    Ok(wire)
}

fn no_tls(host: &str, error: &std::io::Error) -> Failure {
    let why = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let why = why.map_or_else(|| "the connection was lost".to_owned(), ToString::to_string);
    Failure::Unreachable(format!("no TLS with {host}: {why}"))
}

impl Wire<TcpStream> {
    /// Asks for TLS, and gives the connection back to begin it. Nothing that was said before TLS is read after it.
    async fn asks_for_tls(mut self) -> Result<TcpStream, Failure> {
        let host = self.host.clone();
        let refused = |why: String| Failure::Unreachable(format!("no TLS with {host}: {why}"));
        self.send(message::start_tls).await?;
        match self.answer().await? {
            Said::Done(codes::SUCCESS, _) if self.read == self.bytes.len() => Ok(self.stream),
            Said::Done(codes::SUCCESS, _) => Err(refused("the server said more before TLS than it may".to_owned())),
            Said::Done(code, _) => Err(refused(format!("the server refuses StartTLS with code {code}"))),
            _ => Err(self.nonsense()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S, host: &str) -> Self {
        Self { stream, host: host.to_owned(), bytes: Vec::new(), read: 0, came: 0, id: 0 }
    }

    /// How many bytes have come.
    pub(super) const fn came(&self) -> usize {
        self.came
    }

    async fn sign_in(&mut self, login: &LdapLogin) -> Result<(), Failure> {
        match login {
            LdapLogin::Password { dn, password } => {
                // Without one of them a server signs nobody in, and calls it a success (RFC 4513, section 5.1.2).
                if dn.trim().is_empty() || password.expose_secret().is_empty() {
                    return Err(Failure::Directory(Directory::Anonymous));
                }
                self.send(|id| message::bind(id, dn, password.expose_secret())).await?;
            }
            LdapLogin::Certificate { .. } => self.send(message::bind_external).await?,
        }
        match self.answer().await? {
            Said::Bound(codes::SUCCESS) => self.is_somebody().await,
            Said::Bound(code) => Err(codes::of_sign_in(code)),
            _ => Err(self.nonsense()),
        }
    }

    /// Whether the server has us signed in as anybody. One that cannot say so has at least taken the credential.
    async fn is_somebody(&mut self) -> Result<(), Failure> {
        self.send(message::who_am_i).await?;
        match self.answer().await? {
            Said::Done(codes::SUCCESS, None) => Err(Failure::Directory(Directory::Anonymous)),
            Said::Done(codes::SUCCESS, Some(name)) if name.is_empty() => Err(Failure::Directory(Directory::Anonymous)),
            Said::Done(..) => Ok(()),
            _ => Err(self.nonsense()),
        }
    }

    /// Sends a request.
    pub(super) async fn send(&mut self, request: impl FnOnce(u32) -> Vec<u8>) -> Result<(), Failure> {
        self.id += 1;
        let bytes = request(self.id);
        let sent = async {
            self.stream.write_all(&bytes).await?;
            self.stream.flush().await
        };
        match timeout(ANSWER, sent).await {
            Err(_) => Err(Failure::TimedOut),
            Ok(sent) => sent.map_err(|_| self.lost()),
        }
    }

    /// What the server says to the last request.
    pub(super) async fn answer(&mut self) -> Result<Said, Failure> {
        loop {
            let message = timeout(ANSWER, self.next()).await.map_err(|_| Failure::TimedOut)??;
            match message {
                (id, Some(said)) if id == self.id => return Ok(said),
                // RFC 4511, section 4.4: what nobody asked for says that the server ends the connection.
                (0, Some(Said::Done(..))) => return Err(Failure::Directory(Directory::Unavailable)),
                (id, None) if id == self.id => {}
                _ => return Err(self.nonsense()),
            }
        }
    }

    /// Says goodbye. Nothing depends on whether it is heard.
    pub(super) async fn close(mut self) {
        let _ = self.send(message::unbind).await;
        let _ = timeout(HANDSHAKE, self.stream.shutdown()).await;
    }

    /// The next message.
    async fn next(&mut self) -> Result<(u32, Option<Said>), Failure> {
        loop {
            let unread = self.bytes.get(self.read..).unwrap_or_default();
            if unread.first().is_some_and(|tag| *tag != ber::SEQUENCE) {
                return Err(self.nonsense());
            }
            let size = ber::size(unread).map_err(|_| self.nonsense())?;
            if let Some((head, length)) = size {
                let whole = head.saturating_add(length);
                if whole > LARGEST {
                    return Err(Failure::TooLarge);
                }
                if let Some(message) = unread.get(..whole) {
                    let read = message::read(message).map_err(|_| self.nonsense())?;
                    self.read += whole;
                    return Ok(read);
                }
            }
            self.bytes.drain(..self.read);
            self.read = 0;
            self.bytes.reserve(PIECE);
            let came = self.stream.read_buf(&mut self.bytes).await.map_err(|_| self.lost())?;
            if came == 0 {
                return Err(self.lost());
            }
            self.came += came;
            if self.came > MOST {
                return Err(Failure::TooLarge);
            }
        }
    }

    fn lost(&self) -> Failure {
        Failure::Truncated(format!("the connection to {} was lost before it had said everything", self.host))
    }

    fn nonsense(&self) -> Failure {
        Failure::WrongFormat(format!("what {} says is not LDAP, or not what it was asked", self.host))
    }
}
