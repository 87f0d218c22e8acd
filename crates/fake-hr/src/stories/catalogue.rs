//! Every folder of the catalogue, read over real HTTP from a fake of its system: as its pages are, and with every fault
//! a system is known for, wherever it can come. None may end in a wrong employee, or in a missing one that looks like a
//! whole answer. `conformance` holds the table.
//!
//! Folders are read as they lie there, the definition too.

use std::fs;
use std::path::PathBuf;

use std::sync::Arc;

use axum::serve::Listener;
use domain::employee::Failure;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::*;
use crate::conformance::{Folder, Reader, test};

/// Serves behind a certificate that nobody vouches for, and gives the address.
async fn serve_tls(router: axum::Router) -> String {
    struct Guarded(TcpListener, TlsAcceptor);

    impl Listener for Guarded {
        type Io = TlsStream<TcpStream>;
        type Addr = std::net::SocketAddr;

        async fn accept(&mut self) -> (Self::Io, Self::Addr) {
            loop {
                let (stream, address) = self.0.accept().await.unwrap();
                if let Ok(stream) = self.1.accept(stream).await {
                    return (stream, address);
                }
            }
        }

        fn local_addr(&self) -> std::io::Result<Self::Addr> {
            self.0.local_addr()
        }
    }

    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", tcp.local_addr().unwrap().port());
    let guarded = Guarded(tcp, TlsAcceptor::from(Arc::new(config)));
    tokio::spawn(async move { axum::serve(guarded, router).await.unwrap() });
    url
}

/// Where the folders lie.
pub(crate) fn root() -> PathBuf {
    PathBuf::from("../../connectors")
}

/// Their names.
pub(crate) fn folders() -> Vec<String> {
    let folders = fs::read_dir(root()).unwrap();
    let mut names: Vec<_> = folders.map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connector_reads_its_recorded_pages_as_expected_and_no_fault_ends_in_a_wrong_employee() {
    let mut wrong = Vec::new();
    let trials = folders().into_iter().map(|name| {
        let folder = root().join(&name);
        (name, tokio::spawn(async move { test(&folder).await }))
    });
    for (name, trial) in trials.collect::<Vec<_>>() {
        match trial.await.unwrap() {
            Ok(report) => wrong.extend(report.wrong.into_iter().map(|why| format!("{name}: {why}"))),
            Err(why) => wrong.push(why),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn no_connector_reads_anything_behind_a_certificate_that_nobody_vouches_for() {
    for name in folders() {
        let Ok(folder) = Folder::open(&root().join(&name)) else { continue }; // that is the other story's
        let (router, heard) = folder.router("https://localhost").unwrap();
        let here = serve_tls(router).await;
        let reader = Reader::new(&folder.definition).unwrap();
        let read = reader.read(&folder.source(&here), LONG, TODAY).await;
        assert!(matches!(&read, Err(Failure::Unreachable(why)) if why.starts_with("no TLS with")), "{name}: {read:?}");
        assert!(heard().is_empty(), "{name}");
    }
}
