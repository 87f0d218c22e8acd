//! A poll of 100,000 people over loopback, against a reader that only downloads and parses the same bytes.
//!
//! The fake HR system, the poll and the bare reader are a process each: what one of them holds is not the others'.

use std::process::Command;
use std::time::{Duration, Instant};

use fake_hr::{self as fake, Company, Fake, Scenario, Setup};
use hris::{self, Network, Source};
use jiff::civil::{Date, date};
use serde_json::Value;
use tokio::net::TcpListener;

use super::Figure;
use super::reading::{PAGE, PEOPLE, asked, definition, median, memory};
use super::support::process::Process;

/// Each figure is the median of so many pairs.
const RUNS: usize = 5;
const TODAY: Date = date(2026, 3, 2);
const MIB: f64 = 1_048_576.0;

/// The figures of this file.
pub fn figures() -> Vec<Figure> {
    let (_system, here) = Process::ready(Command::new(std::env::current_exe().unwrap()).arg("serve"));
    let run = |part: &str| asked(&[part, &here]);
    run("bare"); // the fake writes its pages when they are first asked for
    let pairs: Vec<(Vec<f64>, Vec<f64>)> = (0..RUNS).map(|_| (run("poll"), run("bare"))).collect();
    let poll = |at: usize| median(pairs.iter().map(|(poll, _)| poll[at]).collect());
    let bare = |at: usize| median(pairs.iter().map(|(_, bare)| bare[at]).collect());
    let (took, peak) = (poll(0), poll(1));
    let (bare_took, bare_peak, bytes) = (bare(0), bare(1), bare(2));
    let explains = |figure, value, unit| Figure { figure, value, unit, bar: None };
    vec![
        Figure {
            figure: "poll of 100,000, of a bare download and parse",
            value: bare_took / took,
            unit: "×",
            bar: Some(("at least", 0.9)),
        },
        explains("poll of 100,000 over loopback", took, "s"),
        explains("bare download and parse of the same bytes", bare_took, "s"),
        explains("bytes of that response", bytes / MIB, "MiB"),
        Figure {
            figure: "peak memory of that poll, of the bytes of the response",
            value: peak / bytes,
            unit: "×",
            bar: Some(("at most", 2.5)),
        },
        explains("peak memory of that poll, the people in it", peak / MIB, "MiB"),
        explains("peak memory of the bare reader, which keeps nothing", bare_peak / MIB, "MiB"),
    ]
}

fn setup(here: &str) -> Setup {
    let company = Company { seed: 1, people: PEOPLE, scenario: Scenario::Quiet, first: TODAY };
    let parameters = Default::default();
    Setup { definition: definition(), parameters, company, page: Some(PAGE), here: here.to_owned() }
}

/// Plays the company until it is killed, and says where.
pub async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = format!("http://{}", listener.local_addr().unwrap());
    let fake = Fake::new(&setup(&here), Box::new(|| TODAY), Box::new(|_| {})).unwrap();
    println!("{here}");
    fake.serve(listener).await.unwrap();
}

/// One poll: seconds, and the most memory it ever held.
pub async fn poll(here: &str) -> Vec<f64> {
    let source = Source::Api(Box::new(fake::source(&setup(here)).unwrap()));
    let network = Network { allow_private_addresses: true, ..Network::default() };
    let before = memory("VmHWM:");
    let begun = Instant::now();
    let read = hris::read(&source, &network, Duration::from_secs(600), TODAY).await.unwrap();
    let took = begun.elapsed().as_secs_f64();
    assert!(read.bad.is_empty() && read.employees.len() > PEOPLE * 9 / 10, "{} people", read.employees.len());
    vec![took, memory("VmHWM:") - before]
}

/// Every page downloaded, parsed into a tree and dropped: seconds, the most memory ever held, and the bytes that came.
pub async fn bare(here: &str) -> Vec<f64> {
    let key = fake::credentials(&definition())["apiKey"].clone();
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let client = reqwest::Client::builder().tls_certs_only(Vec::new()).no_proxy().build().unwrap();
    let before = memory("VmHWM:");
    let begun = Instant::now();
    let mut bytes = 0;
    for page in 1.. {
        let request = client.get(format!("{here}/people?page={page}")).bearer_auth(&key);
        let body = request.send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap();
        bytes += body.len();
        let tree: Value = serde_json::from_slice(&body).unwrap();
        if tree["data"].as_array().unwrap().is_empty() {
            break;
        }
    }
    vec![begun.elapsed().as_secs_f64(), memory("VmHWM:") - before, bytes as f64]
}
