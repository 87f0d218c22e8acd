//! Where traces are sent: by the variables that OpenTelemetry defines, so that what a platform sets is understood.

use std::sync::Arc;

use clap::Args;
use prometheus_client::metrics::counter::Counter;
use secrecy::{ExposeSecret as _, SecretString};

use crate::kube::calls;
use crate::kube::traces::{self, Collector, Resource, Sending, Traces};

/// Where the traces of a command are sent.
#[derive(Debug, Args)]
pub struct Options {
    /// The collector that traces are sent to, by OTLP over HTTP in JSON, such as http://otel-collector.monitoring:4318; without it, none
    /// are. What is no such address is said in the log, and stops nothing
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL",
        default_value = "",
        hide_default_value = true
    )]
    otlp_endpoint: String,
    /// Headers for it: name=value, with commas in between
    #[arg(long, env = "OTEL_EXPORTER_OTLP_HEADERS", hide = true, default_value = "")]
    otlp_headers: SecretString,
}

impl Options {
    /// Begins to send what a command leaves; nothing where there is no collector, or none that can be asked.
    pub fn begin(&self, part: &'static str, release: &str, host: &str, dropped: Counter) -> (Arc<Traces>, Sending) {
        let collector = Collector::at(&self.otlp_endpoint, self.otlp_headers.expose_secret()).unwrap_or_else(|why| {
            tracing::warn!(why, "no traces are sent");
            None
        });
        let instance = format!("{host}_{}", calls::now().as_microsecond());
        let resource = Resource { part, release: release.to_owned(), host: host.to_owned(), instance };
        traces::begin(collector, resource, dropped)
    }
}
