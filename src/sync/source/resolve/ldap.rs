//! From the spec of a directory, and the Secret it names, to what can be read.

use super::file::incomplete;
use super::{Objects, inactive, secret};
use crate::api::connection::{self as api, LdapDirectory, LdapTls};
use crate::kube::outcome::Fault;
use hris::{Ldap, LdapKind, LdapLogin, LdapMapping, LdapScope};
use secrecy::ExposeSecret as _;

/// How the people of a directory are mapped.
///
/// # Errors
/// In words: an attribute that cannot be read.
pub fn mapping(ldap: &api::LdapSource) -> Result<LdapMapping, String> {
    let kind = match ldap.directory {
        LdapDirectory::ActiveDirectory => LdapKind::ActiveDirectory,
        LdapDirectory::InetOrgPerson => LdapKind::InetOrgPerson,
    };
    let mapping = hris::directory(kind, inactive(ldap.inactive_means), &ldap.attributes);
    mapping.map_err(|why| format!("spec.source.ldap.attributes: {why}"))
}

/// Puts together what can be read.
///
/// # Errors
/// A fault when nothing can be read: the spec, or the Secret.
pub(super) fn resolve(ldap: &api::LdapSource, objects: &Objects) -> Result<hris::Source, Fault> {
    Ok(hris::Source::Ldap(Box::new(Ldap {
        mapping: mapping(ldap).map_err(Fault::Stalled)?,
        host: ldap.host.clone(),
        port: u16::try_from(ldap.port())
            .map_err(|_| Fault::Stalled("spec.source.ldap.port: at most 65535".to_owned()))?,
        start_tls: ldap.tls == LdapTls::StartTls,
        base: ldap.base.clone(),
        scope: match ldap.scope {
            api::LdapScope::Subtree => LdapScope::Subtree,
            api::LdapScope::OneLevel => LdapScope::OneLevel,
        },
        filter: ldap.filter.clone(),
        login: login(ldap, objects)?,
        page_size: ldap.page_size,
    })))
}

fn login(ldap: &api::LdapSource, objects: &Objects) -> Result<LdapLogin, Fault> {
    let reference = &ldap.credentials_ref;
    let mut keys = secret(objects, reference)?;
    let given = |key: &str, keys: &mut std::collections::BTreeMap<_, _>| {
        keys.remove(key).filter(|value: &secrecy::SecretString| !value.expose_secret().is_empty())
    };
    match &ldap.bind_dn {
        Some(dn) => match given("password", &mut keys) {
            Some(password) => Ok(LdapLogin::Password { dn: dn.clone(), password }),
            None => Err(incomplete(reference, "password, which is not empty: without one a server signs nobody in")),
        },
        None => match (given("tls.crt", &mut keys), given("tls.key", &mut keys)) {
            (Some(certificate), Some(key)) => Ok(LdapLogin::Certificate { certificate, key }),
            _ => Err(incomplete(reference, "tls.crt and tls.key, since there is no bindDN")),
        },
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::Secret;
    use serde_json::json;

    use super::*;

    fn said(words: serde_json::Value, keys: &[(&str, &str)]) -> String {
        let mut source = json!({"directory": "InetOrgPerson", "host": "ldap.example.com", "base": "dc=example,dc=com", "credentialsRef": {"name": "ldap"}});
        if let (Some(source), Some(words)) = (source.as_object_mut(), words.as_object()) {
            source.extend(words.clone());
        }
        let source: api::LdapSource = serde_json::from_value(source).expect("a source");
        let data = keys.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
        let secret = Secret { data: Some(data.collect()), ..Secret::default() };
        let objects = Objects { secrets: [("ldap".to_owned(), secret)].into(), ..Objects::default() };
        match resolve(&source, &objects) {
            Err(fault) => fault.to_string(),
            Ok(hris::Source::Ldap(ldap)) => match ldap.login {
                LdapLogin::Password { dn, .. } => format!("{} as {dn}", ldap.port),
                LdapLogin::Certificate { .. } => format!("{} by certificate", ldap.port),
            },
            Ok(_) => "another source".to_owned(),
        }
    }

    #[test]
    fn a_directory_is_signed_in_to_by_a_password_or_a_certificate_and_never_by_an_empty_one() {
        let dn = json!({"bindDN": "cn=rollcall"});
        let pair = [("tls.crt", "a certificate"), ("tls.key", "a key")];
        assert_eq!(said(dn.clone(), &[("password", "hunter2")]), "636 as cn=rollcall");
        assert_eq!(said(json!({"tls": "StartTls"}), &pair), "389 by certificate");
        assert_eq!(said(json!({"port": 3269}), &pair), "3269 by certificate");
        let empty = "Secret ldap must hold password, which is not empty: without one a server signs nobody in.";
        for keys in [vec![], vec![("password", "")], vec![("password", "\n")], pair.to_vec()] {
            assert_eq!(said(dn.clone(), &keys), empty);
        }
        let none = "Secret ldap must hold tls.crt and tls.key, since there is no bindDN.";
        for keys in [vec![], vec![("password", "hunter2")], vec![("tls.crt", "a certificate")]] {
            assert_eq!(said(json!({}), &keys), none);
        }
    }

    #[test]
    fn an_attribute_that_may_not_be_read_is_named_with_its_field() {
        for (field, attribute, why) in [
            ("team", "userPassword", "team: this attribute may hold a password or a key, and is never read"),
            ("team", "ms-Mcs-AdmPwd", "team: this attribute may hold a password or a key, and is never read"),
            ("team", "a=b", "team: an attribute has letters, digits and hyphens"),
            ("employeeId", "employeeNumber", "employeeId cannot be read from another attribute"),
            ("status", "employeeType", "status cannot be read from another attribute"),
        ] {
            let said = said(json!({"bindDN": "cn=x", "attributes": {field: attribute}}), &[("password", "x")]);
            assert!(said.starts_with(&format!("spec.source.ldap.attributes: {why}")), "{said}");
        }
    }
}
