//! From the spec of a connection to what can be read: credentials and ConfigMaps are fetched here, and nowhere else.
//!
//! What the fetched objects and the spec come to together is `resolve`'s, which needs no cluster.

mod resolve;

use data_encoding::HEXLOWER;
use jiff::SignedDuration;
use jiff::civil::Date;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::Api;
use sha2::{Digest, Sha256};

pub use self::resolve::{Objects, named, resolve};
use super::Context;
use crate::api::HRConnection;
use crate::api::connection::{self as api, HRConnectionSpec};
use crate::cluster;
use crate::domain::employee::{Failure, Read};
use crate::hris;
use crate::outcome::Fault;

/// Hex digits of a fingerprint.
const DIGITS: usize = 32;

/// Reads everybody from a connection's source.
///
/// `today` is the UTC date, `budget` the time for the whole read.
///
/// # Errors
/// A fault when the read could not even be tried: the spec, a Secret, the API server. Inside, why there is no answer.
pub async fn read(
    ctx: &Context,
    connection: &HRConnection,
    today: Date,
    budget: SignedDuration,
) -> Result<Result<Read, Failure>, Fault> {
    let spec = &connection.spec;
    let source = match resolve(spec, fetch(ctx, spec).await?)? {
        Err(failure) => return Ok(Err(failure)),
        Ok(source) => source,
    };
    hris::check(&source).map_err(Fault::Stalled)?;
    Ok(hris::read(&source, &network(spec), cluster::wait(budget), today).await)
}

/// What a source may be reached by.
#[must_use]
pub fn network(spec: &HRConnectionSpec) -> hris::Network {
    let allow_private_addresses = spec.network.allow_private_addresses;
    hris::Network { allow_private_addresses, ..hris::Network::default() }
}

/// Digest of source and mapping as they are written, without what any Secret or ConfigMap holds.
#[must_use]
pub fn fingerprint(source: &api::Source) -> String {
    let written = serde_json::to_vec(source).unwrap_or_default(); // strings and maps with string keys alone
    let mut digest = HEXLOWER.encode(&Sha256::digest(written));
    digest.truncate(DIGITS);
    digest
}

/// Everything the spec names that is there.
async fn fetch(ctx: &Context, spec: &HRConnectionSpec) -> Result<Objects, Fault> {
    let secrets = Api::<Secret>::namespaced(ctx.client.clone(), &ctx.namespace);
    let config_maps = Api::<ConfigMap>::namespaced(ctx.client.clone(), &ctx.namespace);
    let (mut found, named) = (Objects::default(), named(spec));
    for name in named.secrets {
        if let Some(secret) = cluster::call("read the credentials", secrets.get_opt(name)).await? {
            found.secrets.insert(name.to_owned(), secret);
        }
    }
    for name in named.config_maps {
        if let Some(config_map) = cluster::call("read the file", config_maps.get_opt(name)).await? {
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
        let print = |url, date| fingerprint(&source(url, date));
        assert_eq!(print("https://a.example.com", "%Y"), print("https://a.example.com", "%Y"));
        assert_ne!(print("https://a.example.com", "%Y"), print("https://b.example.com", "%Y"));
        assert_ne!(print("https://a.example.com", "%Y"), print("https://a.example.com", "%y"));
    }
}
