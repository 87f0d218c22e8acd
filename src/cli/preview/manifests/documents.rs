//! The documents of the files: told apart, read, and checked as the API server checks them.

use std::collections::BTreeMap;
use std::path::Path;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::yaml_span::Node;
use super::super::{MANIFESTS, ended, schema};
use crate::api::{HRConnection, SyncPolicy};
use crate::cli::Failure;

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    kind: String,
}

/// What the documents were.
#[derive(Default)]
pub(super) struct Found {
    pub(super) connections: Vec<HRConnection>,
    pub(super) policies: Vec<SyncPolicy>,
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) config_maps: BTreeMap<String, ConfigMap>,
}

impl Found {
    pub(super) fn take(&mut self, path: &Path, line: usize, text: &str) -> Result<(), Failure> {
        let head: Head = parse(path, line, text)?;
        if ["HRConnection", "SyncPolicy"].contains(&head.kind.as_str()) {
            fits(path, line, text, &head.kind)?;
        }
        match head.kind.as_str() {
            "HRConnection" => self.connections.push(parse(path, line, text)?),
            "SyncPolicy" => self.policies.push(parse(path, line, text)?),
            "Secret" => {
                let secret: Secret = parse(path, line, text)?;
                self.secrets.insert(secret.name_any(), plain(secret));
            }
            "ConfigMap" => {
                let config_map: ConfigMap = parse(path, line, text)?;
                self.config_maps.insert(config_map.name_any(), config_map);
            }
            _ => {} // whatever else a file applies is none of ours
        }
        Ok(())
    }
}

/// `stringData`, as the API server takes it over into `data`.
fn plain(mut secret: Secret) -> Secret {
    let written = secret.string_data.take().unwrap_or_default();
    let data = secret.data.get_or_insert_default();
    data.extend(written.into_iter().map(|(key, value)| (key, ByteString(value.into_bytes()))));
    secret
}

/// The documents of a file, each with the number of lines before it.
pub(super) fn documents(text: &str) -> Vec<(usize, String)> {
    let mut found = vec![(0, String::new())];
    for (number, line) in text.lines().enumerate() {
        if line == "---" || line.starts_with("--- ") {
            found.push((number + 1, String::new()));
        } else if let Some((_, document)) = found.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    let says = |text: &str| text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    found.into_iter().filter(|(_, document)| says(document)).collect()
}

/// Whether the API server would take it: a field that does not exist would be dropped there, and mean nothing here.
fn fits(path: &Path, before: usize, text: &str, kind: &str) -> Result<(), Failure> {
    let found = schema::findings(kind, &parse::<Node>(path, before, text)?);
    let line = |line: u64| before + usize::try_from(line).unwrap_or(1);
    let said = found.iter().map(|(at, why)| format!("{}: line {}: {why}", path.display(), line(*at)));
    let said: Vec<_> = said.collect();
    if said.is_empty() { Ok(()) } else { Err(ended(MANIFESTS, said.join("\n"))) }
}

/// Reads one document. A Secret's or ConfigMap's is never quoted.
fn parse<T: DeserializeOwned>(path: &Path, before: usize, text: &str) -> Result<T, Failure> {
    serde_saphyr::from_str(text).map_err(|error| {
        let line = before + error.location().map_or(1, |location| usize::try_from(location.line()).unwrap_or(1));
        ended(MANIFESTS, format!("{}: line {line}: {}", path.display(), error.without_snippet()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_apart_and_keep_their_lines() {
        let text = "# only words\n---\nkind: A\n---\n\n--- # more\nkind: B\n  ---\n";
        let found = documents(text);
        assert_eq!(found, [(2, "kind: A\n".to_owned()), (6, "kind: B\n  ---\n".to_owned())]);
    }

    #[test]
    fn a_secret_written_as_text_is_taken_over_as_the_api_server_does() {
        let secret: Secret =
            serde_saphyr::from_str("metadata: {name: hr}\nstringData: {apiKey: s3cret}\ndata: {other: YQ==}\n")
                .unwrap();
        let data = plain(secret).data.unwrap();
        assert_eq!(data.get("apiKey").unwrap().0, b"s3cret");
        assert_eq!(data.get("other").unwrap().0, b"a");
    }

    #[test]
    fn what_the_api_server_would_not_take_is_said_with_file_line_and_field() {
        let manifest = "apiVersion: rollcall.dev/v1alpha1
kind: HRConnection
metadata: {name: hq}
spec:
  source:
    file:
      from: {configMap: {name: people, key: people.csv}}
";
        let edits = [
            ("a misspelt field", "    file:", "    flie:"),
            ("a misspelt field beside the spec", "spec:", "sepc: {}\nspec:"),
            ("a number for a text", "key: people.csv", "key: 7"),
            ("a word for a list", "  source:", "  trust: {alwaysPresent: email}\n  source:"),
            ("another word than there are", "  source:", "  trust: {alwaysPresent: [e-mail]}\n  source:"),
            ("of another form", "  source:", "  timeout: five minutes\n  source:"),
            ("too long", "key: people.csv", &format!("key: {}", "x".repeat(254))),
            ("what must be there is not", "name: people, key", "key"),
            ("no text", "configMap: {name: people, key: people.csv}", "configMap: []"),
        ];
        let fit = |text: &str| fits(Path::new("hq.yaml"), 7, text, "HRConnection");
        assert!(fit(manifest).is_ok());
        let said = edits.map(|(what, from, to)| {
            let why = fit(&manifest.replacen(from, to, 1)).unwrap_err();
            format!("{what}\n  {why}")
        });
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn what_cannot_be_read_is_said_with_file_and_line() {
        let failure =
            parse::<HRConnection>(Path::new("hq.yaml"), 7, "kind: HRConnection\nspec: {source: [}\n").unwrap_err();
        assert!(failure.to_string().starts_with("hq.yaml: line 9: "), "{failure}");
    }
}
