//! The other side is not to be trusted: what is packed, endless, misplaced or on another way than it should be.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::tls::network_of;
use super::*;

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn encoded(encoding: &'static str, body: Vec<u8>) -> ScriptedResponse {
    Box::new(move || {
        let head = Response::builder().header("content-encoding", encoding).header("content-type", "text/csv");
        head.body(Body::from(body.clone())).unwrap()
    })
}

#[tokio::test]
async fn a_packed_answer_counts_by_what_comes_out_of_it() {
    let bomb = packed(&vec![b'a'; csv::LARGEST + 1]);
    assert!(bomb.len() < csv::LARGEST / 100, "{}", bomb.len());
    let mut cut = packed(CSV.as_bytes());
    cut.truncate(cut.len() / 2);
    let unasked = || Failure::WrongFormat("the response is in an encoding nobody asked for".into());
    let lost = Failure::Truncated("the connection was lost in the middle of the response".into());
    for (what, answer, found) in [
        ("packed", encoded("gzip", packed(CSV.as_bytes())), Ok(1)),
        ("as it is", encoded("identity", CSV.into()), Ok(1)),
        ("a bomb", encoded("gzip", bomb), Err(Failure::TooLarge)),
        ("packed in half", encoded("gzip", cut), Err(lost)),
        ("packed otherwise", encoded("br", CSV.into()), Err(unasked())),
        ("packed twice", encoded("gzip, gzip", packed(&packed(CSV.as_bytes()))), Err(unasked())),
    ] {
        let fake = fake([answer]).await;
        assert_eq!(ask(&fake.file()).await.map(|read| read.employees.len()), found, "{what}");
        let asked = fake.asked.lock().unwrap();
        assert_eq!(asked[0].1.get("accept-encoding").map(String::as_str), Some("gzip"), "{what}");
    }
}

/// A proxy that knows CONNECT alone, and writes down where it was asked to lead.
async fn proxy(refuses: bool) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let led = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&led);
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let heard = Arc::clone(&heard);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await?);
                }
                let head = String::from_utf8(head).unwrap();
                heard.lock().unwrap().push(head.lines().next().unwrap().to_owned());
                if refuses {
                    return client.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
                }
                let to = head.split(' ').nth(1).unwrap();
                let mut server = TcpStream::connect(to.replace("localhost", "127.0.0.1")).await?;
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                copy_bidirectional(&mut client, &mut server).await.map(|_| ())
            });
        }
    });
    (format!("http://localhost:{port}"), led)
}

#[tokio::test]
async fn a_source_behind_a_proxy_is_asked_through_it_alone_and_by_tls() {
    let own = test_tls::Authority::new();
    let url = test_tls::serve(own.server("localhost", None), Router::new().fallback(|| async { CSV })).await;
    let place = url.trim_start_matches("https://").to_owned();
    let network = |proxy: &str| Network { proxy: Some(super::super::proxy(proxy).unwrap()), ..network_of(&own) };
    let source = file(&format!("{url}/people.csv?sig={SECRET}"));

    let (open, led) = proxy(false).await;
    let read = read_with(&source, &network(&open), LONG, TODAY, HURRIED).await;
    assert_eq!(read.map(|read| read.employees.len()), Ok(1));
    assert_eq!(*led.lock().unwrap(), [format!("CONNECT {place} HTTP/1.1")]);

    let (shut, _) = proxy(true).await;
    let Err(Failure::Unreachable(why)) = read_with(&source, &network(&shut), LONG, TODAY, HURRIED).await else {
        panic!("the proxy refused")
    };
    assert_eq!(why, "no connection to localhost through the proxy");
}

#[tokio::test]
async fn a_proxy_leads_to_no_address_that_a_source_may_not_have() {
    let (open, led) = proxy(false).await;
    let near = open.replace("localhost", "127.0.0.1");
    let network = |proxy: &str| Network { proxy: Some(super::super::proxy(proxy).unwrap()), ..Network::default() };
    for (proxy, url, why) in [
        ("http://proxy.example.com", "https://10.0.0.1/", "10.0.0.1 is a private address"),
        ("http://proxy.example.com", "https://169.254.169.254/", "169.254.169.254 is a link-local address"),
        ("http://proxy.example.com", "http://hr.example.com/", "hr.example.com would be asked without TLS"),
        (&near, "https://hr.example.com/", "127.0.0.1 is a loopback address"),
        (&open, "https://hr.example.com/", "the proxy localhost resolves to a loopback address"),
    ] {
        let found = read_with(&file(url), &network(proxy), LONG, TODAY, HURRIED).await;
        assert_eq!(found.map(|_| ()), Err(Failure::AddressRefused(why.to_owned())), "{url} through {proxy}");
    }
    assert!(led.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_head_without_an_end_is_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                client.write_all(b"HTTP/1.1 200 OK\r\n").await?;
                loop {
                    client.write_all(b"x-more: and more, and more, and more, and more, and more\r\n").await?;
                }
                #[allow(unreachable_code, reason = "says what the errors are")]
                Ok::<(), std::io::Error>(())
            });
        }
    });
    let found = ask(&file(&url)).await.map(|_| ());
    assert!(matches!(found, Err(Failure::Unreachable(_))), "{found:?}");
}
