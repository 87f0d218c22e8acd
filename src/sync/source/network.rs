//! What a source is reached by: authorities and a proxy of its connection's own. Pure.

use super::resolve::{Objects, SECRET_AGAIN, key_of};
use crate::api::condition::Reason;
use crate::api::connection::{CaBundle, HRConnectionSpec, SecretKey};
use crate::kube::outcome::Fault;
use domain::employee::Failure;

/// What a source may be reached by.
///
/// # Errors
/// A fault: the spec cannot be followed, or authorities are not there.
pub fn network(spec: &HRConnectionSpec, objects: &Objects) -> Result<hris::Network, Fault> {
    let words = &spec.network;
    let stalled = |field: &str, why: String| Fault::Stalled(format!("spec.network.{field}: {why}"));
    let proxy = words.proxy_url.as_deref().map(hris::proxy).transpose().map_err(|why| stalled("proxyURL", why))?;
    let authorities = match &words.ca_bundle_ref {
        None => Vec::new(),
        Some(bundle) => {
            let pem = authorities(bundle, objects)?;
            hris::authorities(&pem).map_err(|why| stalled("caBundleRef", why))?
        }
    };
    Ok(hris::Network { allow_private_addresses: words.allow_private_addresses, authorities, proxy, progress: None })
}

fn authorities(bundle: &CaBundle, objects: &Objects) -> Result<Vec<u8>, Fault> {
    let missing = |what: String| Fault::Waiting {
        reason: Reason::CaBundleMissing,
        message: format!("{what} of network.caBundleRef is not there. Looked for every 30s."),
        again: SECRET_AGAIN,
    };
    match (&bundle.config_map, &bundle.secret) {
        (Some(from), None) => {
            key_of(objects.config_maps.get(&from.name).cloned(), from).map_err(|failure| match failure {
                Failure::Missing(what) => missing(what),
                _ => missing(format!("ConfigMap {}", from.name)),
            })
        }
        (None, Some(SecretKey { name, key })) => {
            let secret = objects.secrets.get(name).ok_or_else(|| missing(format!("Secret {name}")))?;
            let bytes = secret.data.as_ref().and_then(|data| data.get(key));
            Ok(bytes.ok_or_else(|| missing(format!("key {key} of Secret {name}")))?.0.clone())
        }
        _ => {
            Err(Fault::Stalled("spec.network.caBundleRef: exactly one of configMap and secret must be set".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::{ConfigMap, Secret};
    use serde_json::json;

    use super::*;

    fn network_of(words: serde_json::Value, objects: &Objects) -> Result<usize, String> {
        let spec = serde_json::from_value(json!({"source": {}, "network": words})).expect("a spec");
        network(&spec, objects).map(|network| network.authorities.len()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn authorities_are_found_in_a_config_map_or_a_secret_or_their_absence_is_named() {
        let authority = || test_tls::Authority::new().pem().to_owned();
        let two = authority() + &authority();
        let map = ConfigMap { data: Some([("ca.crt".to_owned(), two.clone())].into()), ..ConfigMap::default() };
        let data =
            [("ca.crt".to_owned(), ByteString(authority().into_bytes())), ("none".to_owned(), ByteString(vec![]))];
        let secret = Secret { data: Some(data.into()), ..Secret::default() };
        let objects =
            Objects { secrets: [("ca".to_owned(), secret)].into(), config_maps: [("ca".to_owned(), map)].into() };
        let missing = |what: &str| Err(format!("{what} of network.caBundleRef is not there. Looked for every 30s."));
        let bundle = |kind: &str, name: &str, key: &str| json!({"caBundleRef": {kind: {"name": name, "key": key}}});
        for (words, found) in [
            (json!({}), Ok(0)),
            (bundle("configMap", "ca", "ca.crt"), Ok(2)),
            (bundle("secret", "ca", "ca.crt"), Ok(1)),
            (bundle("secret", "ca", "none"), Err("spec.network.caBundleRef: no certificate in PEM".to_owned())),
            (bundle("secret", "ca", "other"), missing("key other of Secret ca")),
            (bundle("secret", "other", "ca.crt"), missing("Secret other")),
            (bundle("configMap", "ca", "other"), missing("key other of ConfigMap ca")),
            (bundle("configMap", "other", "ca.crt"), missing("ConfigMap other")),
            (json!({"proxyURL": "http://proxy.example.com:3128"}), Ok(0)),
            (json!({"proxyURL": "ftp://x"}), Err("spec.network.proxyURL: neither http:// nor https://".to_owned())),
        ] {
            assert_eq!(network_of(words.clone(), &objects), found, "{words}");
        }
    }
}
