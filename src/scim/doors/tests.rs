use std::path::Path;

use axum::Router;
use axum::routing::get;
use test_tls::Authority;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::*;

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rollcall-doors-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Files with a certificate of this authority for 127.0.0.1, in a folder.
fn written(folder: &Path, authority: &Authority) -> Tls {
    let (certificate, key) = authority.client("127.0.0.1");
    let tls = Tls { certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
    std::fs::write(&tls.certificate, certificate).unwrap();
    std::fs::write(&tls.key, key).unwrap();
    tls
}

/// What a client that trusts only this authority is told.
async fn told(address: SocketAddr, authority: &Authority) -> Option<String> {
    let root = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap();
    client.get(format!("https://{address}/")).send().await.ok()?.text().await.ok()
}

#[tokio::test]
async fn tls_is_spoken_with_the_certificate_that_is_there_and_nobody_who_stalls_keeps_others_out() {
    let folder = Folder::new("served");
    let (first, next) = (Authority::new(), Authority::new());
    let tls = written(&folder.0, &first);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let doors = Doors::open(listener, Some(tls.clone())).await.unwrap();
    let address = doors.address;
    tokio::spawn(async move { axum::serve(doors, Router::new().route("/", get(async || "served"))).await });

    let mut stalled = Vec::new();
    for _ in 0..40 {
        stalled.push(TcpStream::connect(address).await.unwrap()); // and never says a word
    }
    assert_eq!(told(address, &first).await.as_deref(), Some("served"));
    assert_eq!(told(address, &next).await, None, "of another authority");
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(plain.get(format!("http://{address}/")).send().await.is_err(), "nothing is said without TLS");

    let config = RwLock::new(tls.read().await.unwrap());
    let before = Arc::clone(&config.read().unwrap());
    std::fs::write(&tls.key, "no key").unwrap();
    read_again(&tls, &config).await;
    assert!(Arc::ptr_eq(&before, &config.read().unwrap()), "what cannot be read replaces nothing");
    written(&folder.0, &next);
    read_again(&tls, &config).await;
    assert!(!Arc::ptr_eq(&before, &config.read().unwrap()), "a renewed one is taken");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let doors = Doors::open(listener, Some(tls)).await.unwrap();
    let address = doors.address;
    tokio::spawn(async move { axum::serve(doors, Router::new().route("/", get(async || "served"))).await });
    assert_eq!(told(address, &next).await.as_deref(), Some("served"));
}

#[tokio::test]
async fn without_a_certificate_that_can_be_used_the_doors_stay_shut() {
    let folder = Folder::new("shut");
    let (one, other) = (Authority::new(), Authority::new());
    let tls = written(&folder.0, &one);
    std::fs::write(&tls.key, other.client("127.0.0.1").1).unwrap();
    let missing = Tls { certificate: folder.0.join("none"), key: tls.key.clone() };
    let swapped = Tls { certificate: tls.key.clone(), key: tls.certificate.clone() };
    for (what, tls, said) in [
        ("another's key", tls, "do not fit together"),
        ("no file", missing, "entity not found"),
        ("the files swapped", swapped, "not PEM"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fault = Doors::open(listener, Some(tls)).await.err().map(|fault| fault.to_string()).unwrap_or_default();
        assert!(fault.contains(said), "{what}: {fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_visit_ends_when_its_client_is_silent_or_stays_too_long() {
    let visit = |stream: tokio::io::DuplexStream| {
        let now = Instant::now();
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        Visit {
            stream: Box::new(stream),
            idle: Box::pin(sleep_until(now + IDLE)),
            ends: now + LONGEST,
            _permit: permit,
        }
    };
    let (_silent, stream) = tokio::io::duplex(64);
    let (begun, mut byte) = (Instant::now(), [0; 1]);
    let ended = visit(stream).read(&mut byte).await.unwrap_err();
    assert_eq!((ended.kind(), begun.elapsed().as_secs()), (io::ErrorKind::TimedOut, IDLE.as_secs()));

    let (mut talks, stream) = tokio::io::duplex(64);
    let (begun, mut visit) = (Instant::now(), visit(stream));
    let kind = loop {
        tokio::time::sleep(IDLE / 2).await;
        tokio::io::AsyncWriteExt::write_all(&mut talks, b".").await.unwrap();
        if let Err(ended) = visit.read(&mut byte).await {
            break ended.kind();
        }
    };
    assert_eq!((kind, begun.elapsed().as_secs()), (io::ErrorKind::TimedOut, LONGEST.as_secs()));
}
