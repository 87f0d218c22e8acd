//! From the spec of a connection to what can be read: credentials and ConfigMaps are fetched here, and nowhere else.
//!
//! What the fetched objects and the spec come to together is `resolve`'s, which needs no cluster.

mod definition;
mod keeper;
mod network;
mod resolve;

use std::sync::Arc;

use data_encoding::HEXLOWER;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::Api;
use sha2::{Digest, Sha256};

pub use self::definition::{definition_text, named_definition};
pub use self::keeper::{Rotations, SecretKeeper};
pub use self::network::network;
pub use self::resolve::{Objects, named, resolve};
use super::Context;
use crate::api::HRConnection;
use crate::api::connection::{self as api, HRConnectionSpec};
use crate::kube::calls;
use crate::kube::outcome::Fault;
use domain::employee::Failure;

/// Hex digits of a fingerprint.
const DIGITS: usize = 32;

/// What a connection's people can be read from.
pub struct Opened {
    /// Which source it is, see [`fingerprint`].
    pub fingerprint: String,
    /// What it is reached by.
    pub network: hris::Network,
    /// The source, or why there is nothing to read.
    pub source: Result<hris::Source, Failure>,
}

/// Finds out what a connection's people can be read from.
///
/// # Errors
/// A fault when it could not even be tried: the spec, a Secret, the API server.
pub async fn open(ctx: &Context, connection: &HRConnection) -> Result<Opened, Fault> {
    let spec = &connection.spec;
    let objects = fetch(ctx, spec).await?;
    let fingerprint = fingerprint(&spec.source, definition_text(spec, &objects));
    let network = network(spec, &objects)?;
    let mut source = resolve(spec, objects)?;
    if let (Ok(hris::Source::Api(source)), Some(words)) = (&mut source, &spec.source.api) {
        let secrets = Api::namespaced(ctx.client.clone(), &ctx.namespace);
        let keeper = SecretKeeper::new(secrets, &words.credentials_ref.name, &ctx.rotations);
        source.keeper = Some(Arc::new(keeper));
        source.clock = ctx.clock;
    }
    if let Ok(source) = &source {
        hris::check(source).map_err(Fault::Stalled)?;
    }
    Ok(Opened { fingerprint, network, source })
}

/// Digest of source and mapping as they are written, and of the user's own definition; without what a Secret or a
/// file of people holds.
#[must_use]
pub fn fingerprint(source: &api::Source, definition: Option<&str>) -> String {
    let written = serde_json::to_vec(source).unwrap_or_default(); // strings and maps with string keys alone
    let digest = Sha256::new().chain_update(written);
    let digest = definition.into_iter().fold(digest, |digest, text| digest.chain_update([0]).chain_update(text));
    let mut digest = HEXLOWER.encode(&digest.finalize());
    digest.truncate(DIGITS);
    digest
}

/// Everything the spec names that is there.
async fn fetch(ctx: &Context, spec: &HRConnectionSpec) -> Result<Objects, Fault> {
    let secrets = Api::<Secret>::namespaced(ctx.client.clone(), &ctx.namespace);
    let config_maps = Api::<ConfigMap>::namespaced(ctx.client.clone(), &ctx.namespace);
    let (mut found, named) = (Objects::default(), named(spec));
    for name in named.secrets {
        if let Some(secret) = calls::call("read the credentials", secrets.get_opt(name)).await? {
            found.secrets.insert(name.to_owned(), secret);
        }
    }
    for name in named.config_maps {
        if let Some(config_map) = calls::call("read the file", config_maps.get_opt(name)).await? {
            found.config_maps.insert(name.to_owned(), config_map);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_follows_source_and_mapping() {
        let source = |url: &str, date: &str| -> api::Source {
            let file = serde_json::json!({"from": {"http": {"url": url}}, "csv": {"dateFormat": date}});
            serde_json::from_value(serde_json::json!({"file": file})).expect("a source")
        };
        let print = |url, date| fingerprint(&source(url, date), None);
        assert_eq!(print("https://a.example.com", "%Y"), print("https://a.example.com", "%Y"));
        assert_ne!(print("https://a.example.com", "%Y"), print("https://b.example.com", "%Y"));
        assert_ne!(print("https://a.example.com", "%Y"), print("https://a.example.com", "%y"));
        let defined = |text| fingerprint(&source("https://a.example.com", "%Y"), text);
        assert_eq!(defined(Some("name: a")), defined(Some("name: a")));
        assert_ne!(defined(Some("name: a")), defined(Some("name: b")));
        assert_ne!(defined(Some("")), defined(None));
        let of = |words: serde_json::Value| {
            let api = serde_json::json!({"connector": "sesame", "statuses": words, "credentialsRef": {"name": "hr"}});
            fingerprint(&serde_json::from_value(serde_json::json!({"api": api})).expect("a source"), None)
        };
        assert_ne!(
            of(serde_json::json!({})),
            of(serde_json::json!({"inactive": "Terminated"})),
            "words of its own decide"
        );
    }
}
