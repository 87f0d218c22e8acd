//! A real S3 server with object lock, on this machine: versitygw, from its published module.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use reqwest::{Client, Method};
use rollcall::cli::evidence::sigv4::{Credentials, Request, sign};

use super::cluster::tool;
use super::waiting::eventually;

const ID: &str = "rollcall";
const SECRET: &str = "rollcall-secret";

/// The server, which ends with this value.
pub struct S3 {
    host: String,
    dir: PathBuf,
    server: Child,
    client: Client,
}

/// What it answered.
pub struct Answer {
    pub code: u16,
    pub headers: BTreeMap<String, String>,
    pub text: String,
}

impl S3 {
    pub async fn start(story: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{story}-s3-{port}"));
        for folder in ["data", "attributes"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        let host = format!("127.0.0.1:{port}");
        let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
        let server = Command::new(tool("ROLLCALL_S3_BIN", "versitygw"))
            .args(["--access", ID, "--secret", SECRET, "--port", &host, "--quiet", "posix"])
            .args(["--sidecar", &path("attributes"), &path("data")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        let s3 = Self { host, dir, server, client };
        eventually("the S3 server answers", || async {
            let answer = s3.client.get(format!("http://{}/", s3.host)).send().await;
            answer.is_ok().then_some(())
        })
        .await;
        s3
    }

    /// Its address of a bucket.
    pub fn url(&self, bucket: &str) -> String {
        format!("http://{}/{bucket}", self.host)
    }

    /// What a command needs to reach it.
    pub fn environment(&self) -> [(&'static str, &'static str); 2] {
        [("AWS_ACCESS_KEY_ID", ID), ("AWS_SECRET_ACCESS_KEY", SECRET)]
    }

    /// Makes a request as the owner.
    pub async fn ask(&self, method: Method, path: &str, headers: Vec<(&'static str, String)>, body: &str) -> Answer {
        let credentials = Credentials { id: ID.into(), secret: SECRET.into(), session: None };
        let request = Request { method: method.as_str(), host: &self.host, path, headers, body: body.as_bytes() };
        let headers = sign(request, &credentials, "us-east-1", jiff::Timestamp::now());
        let request = self.client.request(method, format!("http://{}{path}", self.host)).body(body.to_owned());
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let answer = request.send().await.unwrap();
        let headers = answer.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        Answer { code: answer.status().as_u16(), headers, text: answer.text().await.unwrap() }
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
        fs::remove_dir_all(&self.dir).ok();
    }
}
