//! Which source a connection reads, and what its answers mean: the canonical form that a baseline is made of.
//!
//! How it is reached is not in it: host keys, names of Secrets, archives, encryption, proxies, and how a file is cut into
//! cells, which the trust gate would notice. Taken apart field by field, so that a new field is decided on.

use std::collections::{BTreeMap, BTreeSet};

use super::resolve::inactive;
use crate::api::connection::{self as api, ConfigMapKey, EndDateMeans, FileFrom, FileMode, StatusMeaning};
use domain::canonical::{Canonical, folded};
use hris::Definition;

/// Raised when a line of the form means something else than before. Every policy then takes a new baseline.
const VERSION: u32 = 1;

/// Digest of a source and of what its answers mean. `definition` is the one of an API, or of a directory.
#[must_use]
pub fn fingerprint(source: &api::Source, definition: Option<&Definition>) -> String {
    form(source, definition).digest()
}

fn form(source: &api::Source, definition: Option<&Definition>) -> Canonical {
    let mut form = Canonical::new("source", VERSION);
    let api::Source { api, file, ldap, scim } = source;
    if let Some(api) = api {
        // Words of its own are in the definition already.
        let api::ApiSource {
            parameters,
            connector: _,
            definition_ref: _,
            credentials_ref: _,
            statuses: _,
            types: _,
            webhook: _, // when it is read, and not what is read
        } = api;
        form.part("api", |form| definition.into_iter().for_each(|definition| definition.meaning(parameters, form)));
    }
    if let Some(file) = file {
        let api::FileSource { from, mode, csv, decryption: _ } = file;
        form.part("file", |form| {
            from_where(from, form);
            if let FileMode::Delta = mode {
                form.fact("mode", "Delta");
            }
            read_as(csv, form);
        });
    }
    if let Some(ldap) = ldap {
        form.part("ldap", |form| {
            directory(ldap, form);
            definition.into_iter().for_each(|definition| definition.meaning(&BTreeMap::new(), form));
        });
    }
    if let Some(scim) = scim {
        let api::ScimSource { employee_id, inactive_means, credentials_ref: _ } = scim;
        form.part("scim", |form| {
            form.fact("employee id", employee_id.as_str());
            form.fact("inactive", inactive(*inactive_means).as_str());
        });
    }
    form
}

/// Where people lie in a directory, who of its entries is one, and by which attributes is decided. Who signs in is not in it: whether
/// another account sees others, the trust gate notices.
fn directory(ldap: &api::LdapSource, form: &mut Canonical) {
    let api::LdapSource {
        directory,
        host,
        base,
        scope,
        filter,
        attributes,
        inactive_means,
        port: _,
        tls: _,
        bind_dn: _,
        credentials_ref: _,
        page_size: _,
    } = ldap;
    form.fact("directory", directory.as_str());
    form.fact("host", host);
    form.fact("base", base);
    form.fact("scope", scope.as_str());
    form.perhaps("filter", filter.as_deref());
    form.part("attributes", |form| attributes.iter().for_each(|(field, name)| form.fact(field, name)));
    form.fact("inactive", inactive(*inactive_means).as_str());
}

fn from_where(from: &FileFrom, form: &mut Canonical) {
    let FileFrom { config_map, http, sftp } = from;
    if let Some(ConfigMapKey { name, key }) = config_map {
        form.fact("config map", name);
        form.fact("key", key);
    }
    if let Some(api::HttpFile { url, credentials_ref: _ }) = http {
        form.fact("url", url);
    }
    if let Some(sftp) = sftp {
        let api::SftpFile { host, port, user, path, host_keys: _, credentials_ref: _, complete: _, archive: _ } = sftp;
        form.fact("host", host);
        form.fact("port", &port.to_string());
        form.fact("user", user); // whose folder it may be
        form.fact("directory", &path.directory);
        form.fact("pattern", &path.pattern);
    }
}

fn read_as(csv: &api::Csv, form: &mut Canonical) {
    let api::Csv {
        columns,
        none,
        statuses,
        types,
        date_format,
        end_date_means,
        urgent_reasons,
        delimiter: _,
        quote: _,
        escape: _,
        encoding: _,
    } = csv;
    for (slot, header) in super::resolve::named_columns(columns) {
        form.part("column", |form| form.perhaps(slot.name(), header.filter(|header| *header != slot.name())));
    }
    for header in super::resolve::name_parts(columns) {
        form.part("column", |form| form.fact("part of fullName", header));
    }
    none.iter().map(|word| folded(word)).collect::<BTreeSet<_>>().iter().for_each(|word| form.fact("none", word));
    let statuses: BTreeMap<String, &str> =
        statuses.iter().map(|(word, means)| (folded(word), meaning(*means))).collect();
    form.part("statuses", |form| statuses.iter().for_each(|(word, means)| form.fact(word, means)));
    let types: BTreeMap<String, &str> = types.iter().map(|(word, kind)| (folded(word), kind.as_str())).collect();
    form.part("types", |form| types.iter().for_each(|(word, kind)| form.fact(word, kind)));
    let urgent: BTreeSet<String> = urgent_reasons.iter().map(|word| folded(word)).collect();
    form.each("urgent", urgent.iter().map(String::as_str));
    form.fact("dates", date_format);
    form.fact(
        "end date",
        match end_date_means {
            EndDateMeans::LastDay => "LastDay",
            EndDateMeans::FirstDayOut => "FirstDayOut",
        },
    );
}

const fn meaning(means: StatusMeaning) -> &'static str {
    match means {
        StatusMeaning::Active => "Active",
        StatusMeaning::Leave => "Leave",
        StatusMeaning::Suspended => "Suspended",
        StatusMeaning::Terminated => "Terminated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn source(change: &Value) -> api::Source {
        let mut file = json!({
            "from": {"sftp": {"host": "sftp.example.com", "user": "acme", "hostKeys": ["SHA256:x"],
                "path": {"directory": "out", "pattern": "people_%Y-%m-%d.csv"}, "credentialsRef": {"name": "hr"}}},
            "decryption": {"keyRef": {"name": "pgp"}},
            "csv": {"columns": {"email": "Mail"}, "statuses": {"here": "Active", "gone": "Terminated"}},
        });
        merge(&mut file, change);
        serde_json::from_value(json!({ "file": file })).expect("a source")
    }

    fn merge(into: &mut Value, change: &Value) {
        match (into, change) {
            (Value::Object(into), Value::Object(change)) => {
                for (key, value) in change {
                    merge(into.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
            (into, change) => *into = change.clone(),
        }
    }

    fn form_of(change: &Value) -> String {
        form(&source(change), None).text().to_owned()
    }

    #[test]
    fn who_a_pushed_user_is_and_what_inactive_means_decide_and_the_token_does_not() {
        let pushed = |words: Value| -> api::Source {
            let mut scim = json!({"credentialsRef": {"name": "tokens"}});
            merge(&mut scim, &words);
            serde_json::from_value(json!({ "scim": scim })).expect("a source")
        };
        let plain = form(&pushed(json!({})), None).text().to_owned();
        assert_eq!(plain, "source 1\nscim/employee id=externalId\nscim/inactive=Suspended\n");
        for (words, same) in [
            (json!({"credentialsRef": {"name": "others"}}), true),
            (json!({"employeeId": "EmployeeNumber"}), false),
            (json!({"inactiveMeans": "Terminated"}), false),
        ] {
            assert_eq!(form(&pushed(words.clone()), None).text() == plain, same, "{words}");
        }
    }

    #[test]
    fn how_a_directory_is_mapped_is_a_part_of_it() {
        let source: api::LdapSource =
            serde_json::from_value(json!({"directory": "ActiveDirectory", "host": "dc.example.com",
            "base": "DC=example", "bindDN": "CN=rollcall", "credentialsRef": {"name": "ad"}}))
            .expect("a source");
        let mapping = crate::sync::source::directory(&source).expect("a mapping");
        let mut other = mapping.definition.clone();
        other.rules.swap(0, 1);
        let source = api::Source { ldap: Some(source), ..api::Source::default() };
        assert_ne!(fingerprint(&source, Some(&mapping.definition)), fingerprint(&source, Some(&other)));
        assert_eq!(fingerprint(&source, Some(&mapping.definition)), fingerprint(&source, Some(&mapping.definition)));
    }

    #[test]
    fn where_people_lie_in_a_directory_decides_and_how_it_is_reached_does_not() {
        let of = |words: Value| {
            let mut ldap = json!({"directory": "ActiveDirectory", "host": "dc.example.com", "base": "DC=example",
                "bindDN": "CN=rollcall", "credentialsRef": {"name": "ad"}});
            merge(&mut ldap, &words);
            let source: api::Source = serde_json::from_value(json!({ "ldap": ldap })).expect("a source");
            form(&source, None).text().to_owned()
        };
        let plain = of(json!({}));
        let expected = "source 1\nldap/directory=ActiveDirectory\nldap/host=dc.example.com\nldap/base=DC\\=example\n\
                        ldap/scope=Subtree\nldap/inactive=Suspended\n";
        assert_eq!(plain, expected);
        for (words, same) in [
            (json!({"credentialsRef": {"name": "others"}}), true),
            (json!({"bindDN": "CN=other"}), true),
            (json!({"tls": "StartTls", "port": 3268, "pageSize": 10}), true),
            (json!({"host": "dc.example.org"}), false),
            (json!({"directory": "InetOrgPerson"}), false),
            (json!({"base": "OU=Staff,DC=example"}), false),
            (json!({"scope": "OneLevel"}), false),
            (json!({"filter": "(objectClass=person)"}), false),
            (json!({"attributes": {"email": "proxyAddress"}}), false),
            (json!({"inactiveMeans": "Terminated"}), false),
        ] {
            assert_eq!(of(words.clone()) == plain, same, "{words}");
        }
    }

    const FORM: &str = "\
source 1
file/host=sftp.example.com
file/port=22
file/user=acme
file/directory=out
file/pattern=people_%Y-%m-%d.csv
file/column/email=Mail
file/statuses/gone=Terminated
file/statuses/here=Active
file/dates=%Y-%m-%d
file/end date=LastDay
";

    #[test]
    fn the_form_of_a_file_is_written_out_and_stays_as_it_is() {
        assert_eq!(form_of(&json!({})), FORM);
    }

    #[test]
    fn what_decides_makes_another_source_and_how_it_is_reached_does_not() {
        let sftp = |change: Value| json!({"from": {"sftp": change}});
        for (what, change, same) in [
            ("another server", sftp(json!({"host": "sftp.example.org"})), false),
            ("another user", sftp(json!({"user": "globex"})), false),
            ("another folder", sftp(json!({"path": {"directory": "in"}})), false),
            ("other files", sftp(json!({"path": {"pattern": "staff.csv"}})), false),
            ("only changes", json!({"mode": "Delta"}), false),
            ("a word's meaning", json!({"csv": {"statuses": {"here": "Leave"}}}), false),
            ("one more word", json!({"csv": {"statuses": {"away": "Leave"}}}), false),
            ("another column", json!({"csv": {"columns": {"employeeId": "Number"}}}), false),
            ("another form of dates", json!({"csv": {"dateFormat": "%d/%m/%Y"}}), false),
            ("what the end date means", json!({"csv": {"endDateMeans": "FirstDayOut"}}), false),
            ("kinds of employment", json!({"csv": {"types": {"temp": "Temporary"}}}), false),
            ("new host keys", sftp(json!({"hostKeys": ["SHA256:y"]})), true),
            ("another Secret", sftp(json!({"credentialsRef": {"name": "hr-2"}})), true),
            ("an archive", sftp(json!({"archive": "Move"})), true),
            ("how a file is known to be whole", sftp(json!({"complete": {"marker": ".done"}})), true),
            ("another key", json!({"decryption": {"keyRef": {"name": "pgp-2"}}}), true),
            ("the default port", sftp(json!({"port": 22})), true),
            ("a mode that is the default", json!({"mode": "Full"}), true),
            ("a column under its own name", json!({"csv": {"columns": {"team": "team"}}}), true),
            ("a delimiter", json!({"csv": {"delimiter": ";"}}), true),
            ("an encoding", json!({"csv": {"encoding": "UnicodeOrWindows1252"}}), true),
            ("reasons that mean at once", json!({"csv": {"urgentReasons": ["theft"]}}), false),
        ] {
            assert_eq!(form_of(&change) == FORM, same, "{what}");
        }
        let mut upper = source(&json!({}));
        let csv = &mut upper.file.as_mut().expect("a file").csv;
        csv.statuses = csv.statuses.iter().map(|(word, means)| (word.to_uppercase(), *means)).collect();
        assert_eq!(form(&upper, None).text(), FORM, "the case of words");
    }

    #[test]
    fn an_api_is_its_definitions_meaning_and_its_tenant_not_its_name_or_secret() {
        let api = |connector: &str, secret: &str, subdomain: &str| -> api::Source {
            let api = json!({"connector": connector, "credentialsRef": {"name": secret}, "parameters": {"subdomain": subdomain}});
            serde_json::from_value(json!({ "api": api })).expect("a source")
        };
        let definition = hris::connector("hibob").expect("of the catalogue");
        let print = |source: &api::Source| fingerprint(source, Some(&definition));
        let plain = print(&api("hibob", "hr", "acme"));
        assert_eq!(plain, print(&api("hibob", "hr-2", "acme")), "another Secret");
        assert_ne!(plain, print(&api("hibob", "hr", "globex")), "another tenant");
        let mut own = definition.clone();
        own.title = "Another title".to_owned();
        assert_eq!(plain, fingerprint(&api("hibob", "hr", "acme"), Some(&own)));
        let words = |means| [("sabbatical".to_owned(), means)].into();
        let with = |means| definition.clone().with_words(&words(means), &[].into()).expect("words of its own");
        let leave = fingerprint(&api("hibob", "hr", "acme"), Some(&with(domain::employee::Status::Leave)));
        assert_ne!(plain, leave, "a word of the connection's own");
        assert_ne!(leave, fingerprint(&api("hibob", "hr", "acme"), Some(&with(domain::employee::Status::Terminated))));
        let moved = own.statuses.values_mut().next().expect("a status word");
        moved.means = domain::employee::Status::Leave;
        assert_ne!(plain, fingerprint(&api("hibob", "hr", "acme"), Some(&own)), "a word that means something else");
    }
}
