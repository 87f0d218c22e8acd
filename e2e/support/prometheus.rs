//! Prometheus and its promtool, of Debian's package, which is unpacked and not installed: it would start a server of its own.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use super::debian;
use super::installation::suffix;
use super::waiting::eventually;

fn unpacked(program: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prometheus");
    let get = format!(
        "mkdir -p {0} && cd {0} && apt-get download -qq prometheus && dpkg -x prometheus_*.deb .",
        folder.display()
    );
    let found = folder.join("usr/bin").join(program);
    debian::or_get("Prometheus", &get, || found.exists().then(|| found.clone()))
}

/// Runs promtool, which has to be content.
pub fn promtool(arguments: &[&str]) -> Output {
    let output = Command::new(unpacked("promtool")).args(arguments).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{arguments:?}: {}{}", said(&output.stdout), said(&output.stderr));
    output
}

/// A server that has samples of the past and scrapes nothing, on a port of this machine alone. It ends with this value.
pub struct Prometheus {
    child: Child,
    directory: PathBuf,
    /// `http://127.0.0.1:4711`
    pub origin: String,
}

impl Prometheus {
    /// Starts one with the samples of a text in the form of OpenMetrics, in which each has its time.
    ///
    /// A series is over after two minutes without a sample, and not after five: where Prometheus scrapes, it notes that a series is over, and
    /// what is read from a text has no such notes.
    pub async fn with(samples: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("prometheus-{}", suffix()));
        let (text, data) = (directory.join("samples.txt"), directory.join("data"));
        fs::create_dir_all(&directory).unwrap();
        fs::write(&text, samples).unwrap();
        let blocks = ["tsdb", "create-blocks-from", "openmetrics", "--quiet"];
        promtool(&[&blocks[..], &[text.to_str().unwrap(), data.to_str().unwrap()]].concat());
        fs::remove_file(text).unwrap();
        let configuration = directory.join("prometheus.yml");
        fs::write(&configuration, "scrape_configs: []\n").unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new(unpacked("prometheus"))
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--storage.tsdb.retention.time=100y", "--query.lookback-delta=2m", "--log.level=warn"])
            .stdout(Stdio::null())
            .stderr(fs::File::create(directory.join("log")).unwrap())
            .spawn()
            .unwrap();
        let server = Self { child, directory, origin: format!("http://{address}") };
        let ready = format!("{}/-/ready", server.origin);
        eventually("Prometheus is ready", || async {
            client().get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()).then_some(())
        })
        .await;
        server
    }

    /// What it answers to a query at one time, or at each step of a range: the series, with their values.
    pub async fn answers(&self, form: &str, parameters: &[(&str, &str)]) -> Vec<Value> {
        let address = format!("{}/api/v1/{form}", self.origin);
        let answer: Value = client().get(address).query(parameters).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{parameters:?}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }
}

fn client() -> reqwest::Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().no_proxy().tls_certs_only(Vec::new()).build().unwrap()
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.directory).ok();
    }
}
