//! Client certificates, as far as the cluster still shows them: the requests by which they were signed. Kubernetes deletes
//! those an hour after they were signed, and within a day where nobody did, so that most certificates are seen nowhere.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use x509_cert::Certificate as X509;
use x509_cert::der::DecodePem as _;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::name::DirectoryString;
use x509_cert::name::Name;
use x509_cert::request::CertReq;

/// What the names of those signers begin with whose certificates the API server takes for a user.
const CLIENTS: &str = "kubernetes.io/kube-apiserver-client";
/// Attribute of a subject that is the user name (RFC 4519, cn).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
/// Attribute of a subject that is a group (RFC 4519, o).
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// A certificate was signed, which is valid until then; none where its end cannot be read.
    Until(Option<Timestamp>),
    /// Nobody has decided, or it is approved and not signed yet.
    NotYet,
}

/// A client certificate, or a request for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Name of the request.
    pub request: String,
    /// The user name that made the request, and so has the key.
    pub requestor: String,
    /// The user name that the API server takes it for; none where it cannot be read.
    pub user: Option<String>,
    /// The groups that it says.
    pub groups: BTreeSet<String>,
    /// How far it has come.
    pub signed: Signed,
}

/// Reads a request for a client certificate; none of another kind, and none that was denied or failed.
pub fn read(request: &CertificateSigningRequest) -> Option<Certificate> {
    let spec = &request.spec;
    let conditions = request.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let refused = conditions.into_iter().any(|condition| ["Denied", "Failed"].contains(&condition.type_.as_str()));
    if refused || !spec.signer_name.starts_with(CLIENTS) {
        return None;
    }
    let issued = request.status.as_ref().and_then(|status| status.certificate.as_ref()).filter(|pem| !pem.0.is_empty());
    let chain = issued.map(|pem| X509::load_pem_chain(&pem.0).unwrap_or_default());
    let certificate = chain.as_ref().and_then(|chain| chain.first());
    let asked = CertReq::from_pem(&spec.request.0).ok();
    let subject =
        certificate.map(|one| one.tbs_certificate().subject()).or(asked.as_ref().map(|asked| &asked.info.subject));
    let signed = match &chain {
        Some(_) => Signed::Until(certificate.and_then(|one| {
            let end = one.tbs_certificate().validity().not_after.to_unix_duration();
            Timestamp::from_second(i64::try_from(end.as_secs()).ok()?).ok()
        })),
        None => Signed::NotYet,
    };
    Some(Certificate {
        request: request.metadata.name.clone()?,
        requestor: spec.username.clone().unwrap_or_default(),
        user: subject.and_then(|subject| said(subject, COMMON_NAME).next()),
        groups: subject.map(|subject| said(subject, ORGANIZATION).collect()).unwrap_or_default(),
        signed,
    })
}

/// What a subject says by an attribute.
fn said(subject: &Name, attribute: ObjectIdentifier) -> impl Iterator<Item = String> {
    let values = subject.iter().filter(move |one| one.oid == attribute);
    values.filter_map(|one| Some(DirectoryString::try_from(&one.value).ok()?.value().into_owned()))
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;
    use serde_json::{Value, json};

    use super::*;

    /// Of `CN=oidc:ada@example.com, O=ops, O=dev`, signed by an authority of its own until 2036-01-01.
    const SIGNED: &str = include_str!("testdata/signed.pem");
    /// The request for it.
    const ASKED: &str = include_str!("testdata/asked.pem");

    fn request(signer: &str, status: Value) -> CertificateSigningRequest {
        serde_json::from_value(json!({
            "metadata": {"name": "ada-laptop"},
            "spec": {"signerName": signer, "username": "oidc:ada@example.com", "request": BASE64.encode(ASKED.as_bytes()),
                     "usages": ["client auth"]},
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_certificate_says_whose_it_is_for_which_groups_and_until_when() {
        let client = "kubernetes.io/kube-apiserver-client";
        let certificate = json!({"certificate": BASE64.encode(SIGNED.as_bytes())});
        let signed = read(&request(client, certificate.clone())).unwrap();
        assert_eq!(signed.user.as_deref(), Some("oidc:ada@example.com"));
        assert_eq!(signed.groups, ["dev".to_owned(), "ops".to_owned()].into());
        assert_eq!(signed.signed, Signed::Until(Some("2036-01-01T00:00:00Z".parse().unwrap())));
        let waits = read(&request(client, json!({}))).unwrap();
        assert_eq!((waits.user, waits.groups, waits.signed), (signed.user, signed.groups, Signed::NotYet));
        let broken = read(&request(client, json!({"certificate": BASE64.encode(b"no certificate")}))).unwrap();
        assert_eq!(broken.signed, Signed::Until(None), "signed, and nobody knows until when");
        let denied = json!({"conditions": [{"type": "Denied", "status": "True"}]});
        assert_eq!(read(&request(client, denied)), None);
        assert_eq!(read(&request("kubernetes.io/kubelet-serving", certificate)), None, "a server's is no user's");
    }
}
