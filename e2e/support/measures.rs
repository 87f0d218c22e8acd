//! What the API server itself noted: who called what, and how many writes it saw.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};

use axum::http::Request;
use jiff::Timestamp;
use kube::Client;
use serde_json::Value;

use super::cluster::cluster;

/// One call, as the audit log has it.
#[derive(Clone, Debug)]
pub struct Call {
    /// `get`, `list`, `create`, `patch`, `delete`, …
    pub verb: String,
    /// Path and query.
    pub uri: String,
    /// Code of the answer.
    pub code: u64,
}

/// The calls of one user since an instant, in the order of their answers. A watch is noted when it begins and when it ends,
/// and is one call.
pub async fn calls_of(user: &str, since: Timestamp) -> Vec<Call> {
    let log = std::fs::File::open(cluster().await.audit_log()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut noted = HashSet::new();
    BufReader::new(log)
        .lines()
        .map_while(Result::ok)
        .filter(|line| line.contains(user))
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok()) // the last line may be half written
        .filter(|entry| entry["user"]["username"] == user)
        .filter(|entry| text(&entry["requestReceivedTimestamp"]).parse::<Timestamp>().is_ok_and(|at| at >= since))
        .filter(|entry| noted.insert(text(&entry["auditID"])))
        .map(|entry| Call {
            verb: text(&entry["verb"]),
            uri: text(&entry["requestURI"]),
            code: entry["responseStatus"]["code"].as_u64().unwrap_or_default(),
        })
        .collect()
}

impl Call {
    /// What was done to what, without any name, and how it failed if it did: `patch revocations/status 409`.
    pub fn kind(&self) -> String {
        let path = self.uri.split('?').next().unwrap_or_default().trim_matches('/');
        let mut segments: Vec<&str> = path.split('/').collect();
        segments.drain(..if path.starts_with("apis/") { 3 } else { 2 }.min(segments.len())); // api/v1, apis/GROUP/v1
        if segments.len() > 2 && segments.first() == Some(&"namespaces") {
            segments.drain(..2);
        }
        let (resource, sub) = (segments.first().unwrap_or(&path), segments.get(2).map(|sub| format!("/{sub}")));
        let failed = (self.code >= 400).then(|| format!(" {}", self.code));
        format!("{} {resource}{}{}", self.verb, sub.unwrap_or_default(), failed.unwrap_or_default())
    }
}

/// How many writes of a resource the API server has answered since it started, by its own metrics.
pub async fn writes_of(admin: &Client, resource: &str) -> u64 {
    let request = Request::get("/metrics").body(Vec::new()).unwrap();
    let metrics = admin.request_text(request).await.unwrap();
    let resource = format!("resource=\"{resource}\"");
    let reads = ["GET", "LIST", "WATCH", "WATCHLIST"].map(|verb| format!("verb=\"{verb}\""));
    metrics
        .lines()
        .filter(|line| line.starts_with("apiserver_request_total{") && line.contains(&resource))
        .filter(|line| !reads.iter().any(|verb| line.contains(verb)))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .map(|count| count as u64)
        .sum()
}
