//! Secrets that the manifests name and do not contain: from the environment, or from a file of keys.

use std::collections::BTreeMap;
use std::path::Path;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::Manifests;
use crate::cli::Failure;
use crate::cli::plugin::preview::{MANIFESTS, ended, token_store};
use crate::sync::source;

/// What a key is called in the environment, before its own words.
const PREFIX: &str = "ROLLCALL_CREDENTIAL_";
/// Keys of Secrets that no definition declares: those of files.
const FILE_KEYS: [&str; 7] = ["token", "username", "password", "privateKey", "passphrase", "certificate", "key"];

impl Manifests {
    /// Makes the Secrets that are named and not among the manifests, from the environment or a file of keys.
    pub(super) fn put_credentials(&mut self, file: Option<&Path>, rotate: bool) -> Result<(), Failure> {
        let given = match file {
            None => BTreeMap::new(),
            Some(path) => keys_of(path)?,
        };
        let spec = &self.connection.spec;
        let definition = source::named_definition(spec, &self.objects());
        let declared = match definition.map_err(|fault| ended(MANIFESTS, fault.to_string()))? {
            Some(definition) => definition.credentials.into_keys().collect(),
            None => FILE_KEYS.map(str::to_owned).to_vec(),
        };
        if let Some(name) = source::named(spec).secrets.into_iter().find(|name| self.secrets.contains_key(*name))
            && rotate
        {
            return Err(ended(
                MANIFESTS,
                format!(
                    "--rotate: Secret {name} is in the manifests, which are never written: use --credentials-file instead"
                ),
            ));
        }
        let missing: Vec<String> = source::named(spec).secrets.into_iter().map(str::to_owned).collect();
        for name in missing.into_iter().filter(|name| !self.secrets.contains_key(name)).collect::<Vec<_>>() {
            let mut data = given.clone();
            for key in &declared {
                if let Some(value) = variable(key) {
                    data.insert(key.clone(), ByteString(value.into_bytes()));
                }
            }
            if data.is_empty() {
                let keys: Vec<_> = declared.iter().map(|key| format!("{PREFIX}{}", upper(key))).collect();
                return Err(ended(
                    MANIFESTS,
                    format!(
                        "the manifests do not contain Secret {name}: add it, or give its keys by --credentials-file or by the environment ({})",
                        keys.join(", ")
                    ),
                ));
            }
            self.secrets.insert(name, Secret { data: Some(data), ..Secret::default() });
        }
        Ok(())
    }
}

/// `apiKey` in the environment is `API_KEY`.
fn upper(key: &str) -> String {
    let mut text = String::new();
    for (place, c) in key.chars().enumerate() {
        if c.is_uppercase() && place > 0 {
            text.push('_');
        }
        text.push(if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    }
    text
}

#[allow(clippy::disallowed_methods, reason = "a preview may find its credential in the environment")]
fn variable(key: &str) -> Option<String> {
    std::env::var(format!("{PREFIX}{}", upper(key))).ok().filter(|value| !value.is_empty())
}

/// The keys of a file of credentials.
fn keys_of(path: &Path) -> Result<BTreeMap<String, ByteString>, Failure> {
    let keys = token_store::read(path).map_err(|why| ended(MANIFESTS, why))?;
    Ok(keys.into_iter().map(|(key, value)| (key, ByteString(value.into_bytes()))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_name_in_the_environment() {
        for (key, name) in
            [("apiKey", "API_KEY"), ("token", "TOKEN"), ("client-id", "CLIENT_ID"), ("clientID", "CLIENT_I_D")]
        {
            assert_eq!(upper(key), name);
        }
    }
}
