//! The manifests of a preview: read as files, with the objects they name, as a cluster would have them.

mod credentials;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::Failure;
use super::files::{documents, files, text_of};
use super::yaml_span::Node;
use super::{MANIFESTS, Options, ended, schema};
use crate::api::connection::{ConfigMapKey, FileFrom};
use crate::api::{HRConnection, Person, SyncPolicy};
use crate::kube::outcome::Fault;
use crate::kube::usernames::Usernames;
use crate::sync::policy;
use crate::sync::source::{self, Objects};
use domain::lifecycle::Terms;
use domain::scope::Scope;
use domain::timezone::{DayEnd, Zones};

/// Name of the ConfigMap that stands for `--file`, and of the one for `--definition`.
const LOCAL: &str = "preview-file";
const DEFINITION: &str = "preview-definition";

/// What the files say.
pub struct Manifests {
    /// The connection.
    pub connection: HRConnection,
    /// The policy over it, if there is one.
    pub policy: Option<SyncPolicy>,
    /// Persons of a cluster, if they are given.
    pub persons: Vec<Person>,
    secrets: BTreeMap<String, Secret>,
    config_maps: BTreeMap<String, ConfigMap>,
}

/// What a policy says of who is seen.
pub struct Rules {
    /// Whom it is about.
    pub scope: Scope,
    /// Where people's days begin; none without a policy, and then days are those of UTC.
    pub zones: Option<Zones>,
    /// What people are called in Kubernetes; none without a policy.
    pub usernames: Option<Usernames>,
    /// What the policy says of ends and gaps.
    pub terms: Terms,
    /// When a last day is over.
    pub day_end: DayEnd,
}

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    kind: String,
}

/// What kubectl gives of several objects.
#[derive(Deserialize)]
struct List {
    items: Vec<serde_json::Value>,
}

impl Manifests {
    /// What the fields of the policy would take away of the Persons that are given.
    ///
    /// # Errors
    /// The field of the policy that cannot be followed.
    pub fn losses(&self) -> Result<Option<String>, Fault> {
        let Some(policy) = self.policy.as_ref().filter(|_| !self.persons.is_empty()) else { return Ok(None) };
        let fields = policy::Settings::of(policy, &[])?.fields;
        let name = policy.name_any();
        let ours =
            |person: &&Person| person.status.as_ref().is_some_and(|status| status.policy.as_ref() == Some(&name));
        let losses = policy::losses(&fields, self.persons.iter().filter(ours));
        Ok((!losses.is_empty()).then(|| policy::in_words(&losses)))
    }

    /// Reads every document of every file.
    ///
    /// # Errors
    /// What cannot be read, with file and line; what is missing, or there twice.
    pub fn read(options: &Options) -> Result<Self, Failure> {
        let mut manifests = Self::of(&options.files)?;
        if let Some(path) = &options.file {
            manifests.put_file(path)?;
        }
        if let Some(path) = &options.definition {
            manifests.put_definition(path)?;
        }
        manifests.put_credentials(options.credentials_file.as_deref(), options.rotate)?;
        Ok(manifests)
    }

    /// Reads every document of every file, and nothing else.
    ///
    /// # Errors
    /// As for [`Manifests::read`].
    pub fn of(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut found = Found::default();
        for path in files(paths)? {
            let text = text_of(&path)?;
            for (line, document) in documents(&text) {
                found.take(&path, line, &document)?;
            }
        }
        let Found { connections, policies, persons, secrets, config_maps } = found;
        let connection = one("HRConnection", connections)?
            .ok_or_else(|| ended(MANIFESTS, "the manifests contain no HRConnection".to_owned()))?;
        let manifests = Self { connection, policy: one("SyncPolicy", policies)?, persons, secrets, config_maps };
        manifests.belong()?;
        Ok(manifests)
    }

    /// What the connection names, as a cluster would have it.
    pub fn objects(&self) -> Objects {
        Objects { secrets: self.secrets.clone(), config_maps: self.config_maps.clone() }
    }

    /// What the policy says of who is seen; everybody without one.
    ///
    /// # Errors
    /// The field of the policy that cannot be followed.
    pub fn rules(&self) -> Result<Rules, Fault> {
        let Some(policy) = &self.policy else {
            return Ok(Rules {
                scope: Scope::default(),
                zones: None,
                usernames: None,
                terms: Terms::default(),
                day_end: DayEnd::default(),
            });
        };
        let policy::Settings { scope, zones, usernames, terms, day_end, .. } = policy::Settings::of(policy, &[])?;
        Ok(Rules { scope, zones: Some(zones), usernames: Some(usernames), terms, day_end })
    }

    /// The policy is over this connection.
    fn belong(&self) -> Result<(), Failure> {
        self.live_together()?;
        let Some(policy) = &self.policy else { return Ok(()) };
        let name = self.connection.name_any();
        if policy.spec.connections.iter().any(|connection| connection.name == name) {
            return Ok(());
        }
        let named: Vec<_> = policy.spec.connections.iter().map(|connection| connection.name.as_str()).collect();
        let policy = policy.name_any();
        Err(ended(
            MANIFESTS,
            format!("spec.connections of SyncPolicy {policy} names {}, not HRConnection {name}", named.join(", ")),
        ))
    }

    /// All of them are in one namespace: a policy sees no connection of another one, and a connection no Secret or
    /// ConfigMap. What names no namespace goes where it is applied.
    fn live_together(&self) -> Result<(), Failure> {
        let Some(own) = self.connection.namespace() else { return Ok(()) };
        let named = source::named(&self.connection.spec);
        let policy = self.policy.iter().map(|policy| ("SyncPolicy", policy.name_any(), policy.namespace()));
        let secrets = named.secrets.iter().filter_map(|name| self.secrets.get(*name));
        let secrets = secrets.map(|secret| ("Secret", secret.name_any(), secret.namespace()));
        let config_maps = named.config_maps.iter().filter_map(|name| self.config_maps.get(*name));
        let config_maps = config_maps.map(|one| ("ConfigMap", one.name_any(), one.namespace()));
        for (kind, name, namespace) in policy.chain(secrets).chain(config_maps) {
            if let Some(other) = namespace.filter(|other| *other != own) {
                let hq = self.connection.name_any();
                let words = format!(
                    "{kind} {name} is in namespace {other}, HRConnection {hq} in {own}: both must be in the namespace that Rollcall is installed in"
                );
                return Err(ended(MANIFESTS, words));
            }
        }
        Ok(())
    }

    /// Puts a file of this machine in the place of the one the connection names.
    fn put_file(&mut self, path: &Path) -> Result<(), Failure> {
        let Some(file) = &mut self.connection.spec.source.file else {
            return Err(ended(MANIFESTS, "--file: the HRConnection has no source.file".to_owned()));
        };
        file.from = FileFrom { config_map: Some(key(LOCAL)), ..FileFrom::default() };
        let bytes = fs::read(path).map_err(|error| ended(MANIFESTS, format!("{}: {error}", path.display())))?;
        let binary_data = Some(BTreeMap::from([(LOCAL.to_owned(), ByteString(bytes))]));
        self.config_maps.insert(LOCAL.to_owned(), ConfigMap { binary_data, ..ConfigMap::default() });
        Ok(())
    }

    /// Puts a definition of this machine in the place of the connector, or of the ConfigMap, that is named.
    fn put_definition(&mut self, path: &Path) -> Result<(), Failure> {
        let Some(api) = &mut self.connection.spec.source.api else {
            return Err(ended(MANIFESTS, "--definition: the HRConnection has no source.api".to_owned()));
        };
        (api.connector, api.definition_ref) = (None, Some(key(DEFINITION)));
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| ended(MANIFESTS, format!("{file}: {error}")))?;
        hris::Definition::parse(&file, &text).map_err(|refused| ended(MANIFESTS, refused.to_string()))?;
        let data = Some(BTreeMap::from([(DEFINITION.to_owned(), text)]));
        self.config_maps.insert(DEFINITION.to_owned(), ConfigMap { data, ..ConfigMap::default() });
        Ok(())
    }
}

/// A key that is called as its ConfigMap is.
fn key(name: &str) -> ConfigMapKey {
    ConfigMapKey { name: name.to_owned(), key: name.to_owned() }
}

#[derive(Default)]
struct Found {
    connections: Vec<HRConnection>,
    policies: Vec<SyncPolicy>,
    persons: Vec<Person>,
    secrets: BTreeMap<String, Secret>,
    config_maps: BTreeMap<String, ConfigMap>,
}

impl Found {
    fn take(&mut self, path: &Path, line: usize, text: &str) -> Result<(), Failure> {
        let head: Head = parse(path, line, text)?;
        if ["HRConnection", "SyncPolicy"].contains(&head.kind.as_str()) {
            fits(path, line, text, &head.kind)?;
        }
        match head.kind.as_str() {
            "HRConnection" => self.connections.push(parse(path, line, text)?),
            "SyncPolicy" => self.policies.push(parse(path, line, text)?),
            "Person" => self.persons.push(parse(path, line, text)?),
            "List" | "PersonList" => {
                let list: List = parse(path, line, text)?;
                let persons =
                    list.items.into_iter().filter(|item| item.get("kind").is_some_and(|kind| kind == "Person"));
                self.persons.extend(persons.filter_map(|item| serde_json::from_value(item).ok()));
            }
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

fn one<T: kube::ResourceExt>(kind: &str, found: Vec<T>) -> Result<Option<T>, Failure> {
    let names: Vec<_> = found.iter().map(kube::ResourceExt::name_any).collect();
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (one, None) => Ok(one),
        _ => Err(ended(
            MANIFESTS,
            format!("the manifests contain several of the kind {kind} ({}): give one", names.join(", ")),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_definition_of_ones_own_stands_in_the_place_of_the_connector() {
        let spec = serde_json::json!({"source": {"api": {"connector": "hibob", "credentialsRef": {"name": "hr"}}}});
        let connection = HRConnection::new("hq", serde_json::from_value(spec).unwrap());
        let mut manifests = Manifests {
            connection,
            policy: None,
            persons: Vec::new(),
            secrets: BTreeMap::new(),
            config_maps: BTreeMap::new(),
        };
        manifests.put_definition(Path::new("connectors/bamboohr/connector.yaml")).unwrap();
        let named = source::named_definition(&manifests.connection.spec, &manifests.objects()).unwrap();
        assert_eq!(named.map(|definition| definition.name).as_deref(), Some("bamboohr"));
        let refused = manifests.put_definition(Path::new("Cargo.toml")).unwrap_err().to_string();
        assert!(refused.contains("Cargo.toml: line "), "{refused}");
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
            ("a misspelt field next to the spec", "spec:", "sepc: {}\nspec:"),
            ("a number for a text", "key: people.csv", "key: 7"),
            ("a word for a list", "  source:", "  trust: {alwaysPresent: email}\n  source:"),
            ("another word than there are", "  source:", "  trust: {alwaysPresent: [e-mail]}\n  source:"),
            ("a duration in words", "  source:", "  timeout: five minutes\n  source:"),
            ("a percentage without its sign", "  source:", "  trust: {maxShrink: \"10\"}\n  source:"),
            ("of another form", "  source:", "  network: {proxyURL: proxy.example.com}\n  source:"),
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
    fn several_of_a_kind_are_named() {
        let named = |name: &str| {
            SyncPolicy::new(
                name,
                serde_json::from_value(serde_json::json!({
                    "connections": [{"name": "hq"}], "timeZones": {"default": "UTC"}
                }))
                .unwrap(),
            )
        };
        let why = one("SyncPolicy", vec![named("all"), named("some")]).unwrap_err().to_string();
        assert_eq!(why, "the manifests contain several of the kind SyncPolicy (all, some): give one");
    }

    #[test]
    fn what_cannot_be_read_is_said_with_file_and_line() {
        let failure =
            parse::<HRConnection>(Path::new("hq.yaml"), 7, "kind: HRConnection\nspec: {source: [}\n").unwrap_err();
        assert!(failure.to_string().starts_with("hq.yaml: line 9: "), "{failure}");
    }
}
