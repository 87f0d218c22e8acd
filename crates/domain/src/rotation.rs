//! How the value of a Secret is replaced, read off its metadata alone: who manages it, or what may be generated for it.
//!
//! Says what an object claims of itself. Whether the ExternalSecret or the Certificate it names agrees is for the revoker to see.

use std::collections::BTreeMap;

pub mod adoption;
pub mod kept;

/// Labels or annotations.
type Words = BTreeMap<String, String>;

/// Annotation by which the owner of a Secret has its values generated: `Generate password=Password`.
pub const ROTATE: &str = "rollcall.dev/rotate";
/// First word of that annotation.
const GENERATE: &str = "Generate";

/// Label that external-secrets puts on what it manages.
const ESO_MANAGED: &str = "reconcile.external-secrets.io/managed";
/// Annotation by which external-secrets tells one value from another.
pub const ESO_HASH: &str = "reconcile.external-secrets.io/data-hash";
/// API group of external-secrets.
const ESO_GROUP: &str = "external-secrets.io/";
/// Annotation by which cert-manager names the Certificate of a Secret.
const CERTIFICATE: &str = "cert-manager.io/certificate-name";

/// Most keys that one annotation names.
const MAX_KEYS: usize = 16;

/// An owner reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: String,
}

/// How a Secret gets a new value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// external-secrets fetches it again, or generates it.
    ExternalSecret {
        /// Group and version of the ExternalSecret.
        api_version: String,
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
    },
    /// cert-manager issues it again.
    Certificate {
        /// Name of the Certificate.
        name: String,
    },
    /// Rollcall writes new values for these keys, and reads none.
    Generate(Vec<Generated>),
}

/// Keys whose values are made together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generated {
    /// One key, or the key of the private part and that of the public one.
    pub keys: Vec<String>,
    /// What is made.
    pub kind: GeneratedKind,
}

/// What can be generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GeneratedKind {
    /// 32 letters and digits.
    Password,
    /// An ed25519 key pair in PEM: PKCS #8 and SubjectPublicKeyInfo.
    KeyPair,
    /// An ed25519 key pair as OpenSSH writes it.
    SshKeyPair,
}

impl GeneratedKind {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "Password" => Some(Self::Password),
            "KeyPair" => Some(Self::KeyPair),
            "SshKeyPair" => Some(Self::SshKeyPair),
            _ => None,
        }
    }

    /// How many keys hold it.
    const fn keys(self) -> usize {
        match self {
            Self::Password => 1,
            Self::KeyPair | Self::SshKeyPair => 2,
        }
    }
}

/// Who or what replaces the value of a Secret with this metadata; `None` if it does not say, or not clearly.
///
/// A controller that manages it goes before the annotation: it would write its own value back.
#[must_use]
pub fn way(labels: &Words, annotations: &Words, owners: &[Owner]) -> Option<Way> {
    let external = owners.iter().find(|owner| {
        owner.kind == "ExternalSecret" && owner.api_version.strip_prefix(ESO_GROUP).is_some_and(is_version)
    });
    if labels.get(ESO_MANAGED).is_some_and(|managed| managed == "true") || external.is_some() {
        let owner = external.filter(|_| annotations.contains_key(ESO_HASH))?;
        let Owner { api_version, name, uid, .. } = owner.clone();
        return Some(Way::ExternalSecret { api_version, name, uid });
    }
    if let Some(name) = annotations.get(CERTIFICATE) {
        return (!name.is_empty()).then(|| Way::Certificate { name: name.clone() });
    }
    generated(annotations.get(ROTATE)?).map(Way::Generate)
}

/// The version of an API, such as `v1` or `v1beta1`: it becomes a part of a path.
fn is_version(word: &str) -> bool {
    word.starts_with('v')
        && word.len() <= 16
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// What the annotation declares: `Generate password=Password ssh-privatekey,ssh-publickey=SshKeyPair`. All of it is understood,
/// or nothing is.
#[must_use]
pub fn generated(annotation: &str) -> Option<Vec<Generated>> {
    let mut words = annotation.split(' ');
    if words.next() != Some(GENERATE) {
        return None;
    }
    let mut all: Vec<Generated> = Vec::new();
    for word in words {
        let (keys, kind) = word.split_once('=')?;
        let kind = GeneratedKind::parse(kind)?;
        let keys: Vec<String> = keys.split(',').map(str::to_owned).collect();
        if keys.len() != kind.keys() || !keys.iter().all(|key| is_key(key)) {
            return None;
        }
        all.push(Generated { keys, kind });
    }
    let mut keys: Vec<&String> = all.iter().flat_map(|one| &one.keys).collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    (count > 0 && count == keys.len() && count <= MAX_KEYS).then_some(all)
}

/// What the API server takes as a key of a Secret.
fn is_key(key: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !key.is_empty() && key.len() <= 253 && key.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eso(api_version: &str) -> Owner {
        let kind = "ExternalSecret".to_owned();
        Owner { api_version: api_version.into(), kind, name: "db".into(), uid: "u-1".into() }
    }

    #[test]
    fn who_replaces_a_value_is_read_off_the_metadata() {
        let external = |version: &str| {
            let api_version = format!("external-secrets.io/{version}");
            Some(Way::ExternalSecret { api_version, name: "db".into(), uid: "u-1".into() })
        };
        let certificate = Some(Way::Certificate { name: "site".into() });
        let password = Some(Way::Generate(vec![Generated { keys: vec!["pw".into()], kind: GeneratedKind::Password }]));
        let generate = (ROTATE, "Generate pw=Password");
        let hash = (ESO_HASH, "abc");
        let deployment = Owner { kind: "Deployment".into(), api_version: "apps/v1".into(), ..eso("") };
        for (what, managed, annotations, owners, expected) in [
            ("nobody says", false, vec![], vec![], None),
            ("external-secrets", true, vec![hash], vec![eso("external-secrets.io/v1")], external("v1")),
            ("an older one", true, vec![hash], vec![eso("external-secrets.io/v1beta1")], external("v1beta1")),
            ("managed, and no owner says by what", true, vec![hash], vec![deployment.clone()], None),
            (
                "without the digest that tells one value from another",
                true,
                vec![],
                vec![eso("external-secrets.io/v1")],
                None,
            ),
            ("a kind of that name of another group", false, vec![hash], vec![eso("example.com/v1")], None),
            ("a version that is none", false, vec![hash], vec![eso("external-secrets.io/../v1")], None),
            ("cert-manager", false, vec![(CERTIFICATE, "site")], vec![], certificate.clone()),
            (
                "cert-manager goes before what is declared",
                false,
                vec![(CERTIFICATE, "site"), generate],
                vec![],
                certificate,
            ),
            ("external-secrets too", true, vec![generate], vec![], None),
            ("what is declared", false, vec![generate], vec![deployment], password),
        ] {
            let words =
                |all: Vec<(&str, &str)>| all.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
            let labels: Words = words(if managed { vec![(ESO_MANAGED, "true")] } else { vec![] });
            assert_eq!(way(&labels, &words(annotations), &owners), expected, "{what}");
        }
    }

    #[test]
    fn what_is_to_be_generated_is_understood_as_a_whole_or_not_at_all() {
        let keys = |annotation: &str| {
            generated(annotation).map(|all| {
                all.into_iter()
                    .map(|one| format!("{}:{}", one.keys.join("+"), one.kind.keys()))
                    .collect::<Vec<_>>()
                    .join(" ")
            })
        };
        for (annotation, expected) in [
            ("Generate password=Password", Some("password:1")),
            ("Generate a=Password id,id.pub=SshKeyPair", Some("a:1 id+id.pub:2")),
            ("Generate key.pem,pub.pem=KeyPair", Some("key.pem+pub.pem:2")),
            ("Generate", None),
            ("Generate ", None),
            ("generate password=Password", None),
            ("Generate password=Passphrase", None),
            ("Generate password", None),
            ("Generate a,b=Password", None),
            ("Generate a=KeyPair", None),
            ("Generate a=Password a=Password", None),
            ("Generate a,a=KeyPair", None),
            ("Generate a/b=Password", None),
            ("Generate a=Password  b=Password", None),
        ] {
            assert_eq!(keys(annotation).as_deref(), expected, "{annotation}");
        }
    }
}
