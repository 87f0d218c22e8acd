//! Connections from the network: with TLS or without, each bounded in time, and all in number.
//!
//! A handshake is made apart from the others, so that one who never ends it keeps nobody out. A certificate that was renewed is read
//! again without a restart.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::TlsAcceptor;

use crate::kube::outcome::Fault;

/// Connections at once.
const MOST: usize = 512;
/// Longest time for a handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Longest time without a byte from the client.
const IDLE: Duration = Duration::from_secs(60);
/// Longest time of a connection.
const LONGEST: Duration = Duration::from_secs(900);
/// How often the certificate is read again.
const RENEWED: Duration = Duration::from_secs(60);

/// Where the certificate and its key lie, in PEM.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate, with those it is signed by.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

impl Tls {
    /// Reads both.
    ///
    /// # Errors
    /// When they are not there, or are not what they should be.
    async fn read(&self) -> Result<Arc<ServerConfig>, Fault> {
        let fault = |cause: String| Fault::Transient { doing: "read the certificate", cause };
        let file = async |path: &PathBuf| tokio::fs::read(path).await.map_err(|error| fault(error.kind().to_string()));
        let (certificate, key) = (file(&self.certificate).await?, file(&self.key).await?);
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate).collect();
        let chain = chain.map_err(|_| fault("the certificate is not PEM".to_owned()))?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| fault("the key is not PEM".to_owned()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
        let mut config = config.map_err(|_| fault("certificate and key do not fit together".to_owned()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that ends by itself.
pub struct Visit {
    stream: Box<dyn Stream>,
    idle: Pin<Box<Sleep>>,
    ends: Instant,
    _permit: OwnedSemaphorePermit,
}

/// Where connections come in; ready for `axum::serve`.
pub struct Doors {
    visits: mpsc::Receiver<(Visit, SocketAddr)>,
    address: SocketAddr,
}

impl Doors {
    /// Opens them.
    ///
    /// # Errors
    /// When there is no certificate.
    pub async fn open(listener: TcpListener, tls: Option<Tls>) -> Result<Self, Fault> {
        let failed =
            |error: io::Error| Fault::Transient { doing: "listen for pushes", cause: error.kind().to_string() };
        let address = listener.local_addr().map_err(failed)?;
        let config = match &tls {
            None => None,
            Some(tls) => Some(Arc::new(RwLock::new(tls.read().await?))),
        };
        if let (Some(tls), Some(config)) = (tls, &config) {
            tokio::spawn(renew(tls, Arc::downgrade(config)));
        }
        let (sender, visits) = mpsc::channel(16);
        tokio::spawn(welcome(listener, config, sender));
        Ok(Self { visits, address })
    }
}

/// Reads the certificate again and again, as long as somebody uses it.
async fn renew(tls: Tls, config: std::sync::Weak<RwLock<Arc<ServerConfig>>>) {
    loop {
        tokio::time::sleep(RENEWED).await;
        let Some(config) = config.upgrade() else { return };
        read_again(&tls, &config).await;
    }
}

async fn read_again(tls: &Tls, config: &RwLock<Arc<ServerConfig>>) {
    match tls.read().await {
        Ok(new) => *config.write().unwrap_or_else(PoisonError::into_inner) = new,
        Err(fault) => tracing::warn!(%fault, "the certificate stays as it is"),
    }
}

/// Takes connections until nobody wants them.
async fn welcome(
    listener: TcpListener,
    config: Option<Arc<RwLock<Arc<ServerConfig>>>>,
    sender: mpsc::Sender<(Visit, SocketAddr)>,
) {
    let room = Arc::new(Semaphore::new(MOST));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = sender.closed() => return,
        };
        let Ok((stream, address)) = accepted else {
            tokio::time::sleep(Duration::from_millis(100)).await; // no file descriptors left, most likely
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (sender, config) = (sender.clone(), config.clone());
        tokio::spawn(async move {
            let stream: Box<dyn Stream> = match config {
                None => Box::new(stream),
                Some(config) => {
                    let config = Arc::clone(&config.read().unwrap_or_else(PoisonError::into_inner));
                    let handshake = TlsAcceptor::from(config).accept(stream);
                    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, handshake).await else { return };
                    Box::new(stream)
                }
            };
            let now = Instant::now();
            let visit = Visit { stream, idle: Box::pin(sleep_until(now + IDLE)), ends: now + LONGEST, _permit: permit };
            let _ = sender.send((visit, address)).await;
        });
    }
}

impl axum::serve::Listener for Doors {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visit, SocketAddr) {
        match self.visits.recv().await {
            Some(visit) => visit,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl AsyncRead for Visit {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let late = || Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        let now = Instant::now();
        if now >= self.ends {
            return late();
        }
        if read.is_ready() {
            let until = (now + IDLE).min(self.ends);
            self.idle.as_mut().reset(until);
            return read;
        }
        if self.idle.as_mut().poll(cx).is_ready() { late() } else { Poll::Pending }
    }
}

impl AsyncWrite for Visit {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
