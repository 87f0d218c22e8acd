//! A directory that speaks LDAP: OpenLDAP, Active Directory and others. Nothing in it is ever changed.
//!
//! ```text
//! wire ── TLS, sign-in ──▶ search, page by page ──▶ entries ── managers found among them ──▶ pages ──engine──▶ Read
//!            (message, ber)        (filter)           (syntax, dn)
//! ```
//! An answer is whole or there is none: each code but success, a referral, and a page that leads back end the read with a reason. How
//! people are found and attributes written stands in `ldap/*.yaml`, with the same mapping below as a connector has.

mod ber;
mod codes;
mod dn;
mod entries;
mod filter;
mod message;
mod syntax;
mod wire;

#[cfg(fuzzing)]
pub mod fuzz;
#[cfg(test)]
mod stories;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::civil::Date;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use self::entries::Entries;
use self::message::{Said, Search};
use self::syntax::Syntax;
use super::definition::{Definition, Value};
use super::engine::{Purpose, Reading};
use super::http::Network;
use super::row::Slot;
use super::{engine, spawn_blocking};
use domain::employee::{Directory, Failure, Read, Status, Text};

pub use self::message::Scope;

/// What begins the mapping of a file.
const MAPPING: &str = "\n---\n";
/// Pages in a row without anybody: a server may skip what it does not show, but not for ever.
const EMPTY_PAGES: u32 = 1000;

/// A directory, and how its people are read.
pub struct Ldap {
    /// What of it is read, and how it is mapped: [`directory`].
    pub mapping: LdapMapping,
    /// Name or address of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// TLS begins after a request for it, and not at once.
    pub start_tls: bool,
    /// The entry below which people lie.
    pub base: String,
    /// How far below it.
    pub scope: Scope,
    /// Which entries are people; without it, those that the kind of directory says.
    pub filter: Option<String>,
    /// What is signed in with.
    pub login: LdapLogin,
    /// Entries a page.
    pub page_size: u32,
}

/// What a connection signs in with.
pub enum LdapLogin {
    /// The name of an entry, and its password.
    Password {
        /// The name.
        dn: String,
        /// The password.
        password: SecretString,
    },
    /// A certificate and its key, in PEM, which TLS shows (SASL EXTERNAL).
    Certificate {
        /// The certificate, and those between it and its authority.
        certificate: SecretString,
        /// Its key.
        key: SecretString,
    },
}

/// A kind of directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LdapKind {
    /// Active Directory.
    ActiveDirectory,
    /// OpenLDAP, and others whose people are of the class inetOrgPerson.
    InetOrgPerson,
}

/// How the people of a directory are found, and what their attributes mean.
pub struct LdapMapping {
    /// How attributes are mapped.
    pub definition: Definition,
    words: Words,
}

/// What only a directory needs to be told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    /// Which entries are people.
    filter: String,
    /// Controls of each search, by their numbers.
    #[serde(default)]
    controls: Vec<String>,
    /// How the values of attributes are written.
    syntaxes: BTreeMap<String, Syntax>,
}

/// How the people of a kind of directory are mapped. `inactive` is what it says of somebody that their account is switched off;
/// `attributes` are a connection's own, by the field.
///
/// # Errors
/// In words for the author of the connection: a field or an attribute that cannot be read so.
pub fn directory(
    kind: LdapKind,
    inactive: Status,
    attributes: &BTreeMap<String, String>,
) -> Result<LdapMapping, String> {
    let text = match kind {
        LdapKind::ActiveDirectory => include_str!("ldap/active-directory.yaml"),
        LdapKind::InetOrgPerson => include_str!("ldap/inet-org-person.yaml"),
    };
    let (words, mapping) = text.split_once(MAPPING).ok_or("there is no mapping")?;
    let mut words: Words = serde_saphyr::from_str(words).map_err(|error| error.to_string())?;
    let mapping = mapping.replace("means: INACTIVE", &format!("means: {}", inactive.as_str()));
    let mut definition = Definition::parse("ldap", &mapping).map_err(|refused| refused.to_string())?;
    for (field, attribute) in attributes {
        let slot = own(field)?;
        plain(attribute).map_err(|why| format!("{field}: {why}"))?;
        let known = words.syntaxes.keys().any(|known| known.eq_ignore_ascii_case(attribute));
        let syntax = match slot {
            Slot::ManagerId => Some(Syntax::Dn),
            Slot::HireDate => Some(Syntax::Time),
            _ => None,
        };
        if let Some(syntax) = syntax.filter(|_| !known) {
            words.syntaxes.insert(attribute.clone(), syntax);
        }
        definition.fields.insert(slot, Value::at(attribute.clone()));
    }
    Ok(LdapMapping { definition, words })
}

/// The slot of a field that a connection may read from an attribute of its own. Who somebody is and whether they left may not be one:
/// an id that is given again would be another human's.
fn own(field: &str) -> Result<Slot, String> {
    let slot = match field {
        "fullName" => Some(Slot::FullName),
        "email" => Some(Slot::Email),
        "hireDate" => Some(Slot::HireDate),
        "manager" => Some(Slot::ManagerId),
        text => Text::of_word(text).map(Text::slot),
    };
    slot.ok_or_else(|| {
        let fields: Vec<&str> = Text::ALL.iter().map(|text| text.as_str()).collect();
        format!(
            "{field} cannot be read from another attribute; these can: fullName, email, hireDate, manager, {}",
            fields.join(", ")
        )
    })
}

/// Whether an attribute may be read at all.
fn plain(attribute: &str) -> Result<(), String> {
    const SECRETS: [&str; 10] = [
        "password",
        "pwd",
        "secret",
        "credential",
        "privatekey",
        "principalkey",
        "otpkey",
        "nthash",
        "authinfo",
        "recovery",
    ];
    let letters = attribute.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !letters || !attribute.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err("an attribute has letters, digits and hyphens".to_owned());
    }
    let folded = attribute.to_ascii_lowercase();
    if SECRETS.iter().any(|word| folded.contains(word)) {
        return Err("this attribute may hold a password or a key, and is never read".to_owned());
    }
    Ok(())
}

impl LdapMapping {
    /// The attributes that are read.
    ///
    /// # Errors
    /// In words, what of the mapping cannot be followed.
    fn attributes(&self) -> Result<Vec<String>, String> {
        let read = self.definition.readings()?.into_iter().filter(|one| one.purpose != Purpose::Pages);
        let paths: BTreeSet<String> = read.map(|one| one.path).collect();
        Ok(paths.into_iter().collect())
    }

    fn syntax(&self, attribute: &str) -> Syntax {
        let found = self.words.syntaxes.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
        found.map_or_else(Syntax::default, |(_, syntax)| *syntax)
    }

    /// Everything that is read of an entry, as one list; `from` says where.
    ///
    /// # Errors
    /// In words, what of the mapping cannot be followed.
    pub fn readings(&self, from: &str) -> Result<BTreeSet<Reading>, String> {
        let read = self.definition.readings()?.into_iter().filter(|one| one.purpose != Purpose::Pages);
        // The name of an entry comes with it, whatever is asked for. Managers are found by it.
        let name = Reading { request: String::new(), path: "dn".to_owned(), purpose: Purpose::Sorts };
        Ok(read.chain([name]).map(|one| Reading { request: from.to_owned(), ..one }).collect())
    }
}

impl Ldap {
    /// Whether the directory can be read as it is described.
    ///
    /// # Errors
    /// In words for the author of the connection.
    pub(super) fn check(&self) -> Result<(), String> {
        self.filter()?;
        self.mapping.attributes()?;
        if self.base.trim().is_empty() {
            return Err("spec.source.ldap.base: the entry below which people lie is needed".to_owned());
        }
        if let LdapLogin::Password { dn, password } = &self.login
            && (dn.trim().is_empty() || password.expose_secret().is_empty())
        {
            return Err("bindDN and password are needed: without one of them a server signs nobody in".to_owned());
        }
        wire::tls(&Network::default(), &self.login).map(|_| ())
    }

    fn filter(&self) -> Result<Vec<u8>, String> {
        let filter = self.filter.as_ref().unwrap_or(&self.mapping.words.filter);
        filter::encode(filter).map_err(|why| format!("spec.source.ldap.filter: {why}"))
    }

    /// Reads everybody.
    ///
    /// # Errors
    /// See `Failure`.
    pub(super) async fn read(&self, network: &Network, as_of: Date) -> Result<Read, Failure> {
        let literal = self.host.parse::<IpAddr>().ok().and_then(super::address::refused);
        if let Some(kind) = literal.filter(|_| !network.allow_private_addresses) {
            return Err(Failure::AddressRefused(format!("{} is a {kind} address", self.host)));
        }
        let entries = self.entries(network).await?;
        let definition = self.mapping.definition.clone();
        spawn_blocking(move || {
            let remarks = entries.remarks();
            let mut read = engine::map(&definition, &BTreeMap::new(), entries.pages(), as_of)?;
            read.remarks.extend(remarks);
            Ok(read)
        })
        .await
    }

    /// All entries there are.
    async fn entries(&self, network: &Network) -> Result<Entries, Failure> {
        let (filter, attributes) = (self.filter(), self.mapping.attributes());
        let (filter, attributes) = (filter.map_err(Failure::WrongFormat)?, attributes.map_err(Failure::WrongFormat)?);
        let mut entries = Entries::new(&attributes, &self.mapping);
        let search = Search {
            base: &self.base,
            scope: self.scope,
            filter: &filter,
            attributes: &attributes,
            page_size: self.page_size,
            controls: &self.mapping.words.controls,
        };
        let mut wire = wire::open(self, network).await?;
        let (mut cookie, mut empty) = (Vec::new(), 0);
        loop {
            let (before, came) = (entries.len(), wire.came());
            wire.send(|id| message::search(id, &search, &cookie)).await?;
            cookie = loop {
                match wire.answer().await? {
                    Said::Found(entry) => entries.take(entry)?,
                    Said::Elsewhere => return Err(Failure::Directory(Directory::Elsewhere)),
                    Said::Searched(codes::SUCCESS, Some(next)) => break next,
                    Said::Searched(codes::SUCCESS, None) => {
                        let why = "the server does not say whether more pages follow (RFC 2696)";
                        return Err(Failure::WrongFormat(why.to_owned()));
                    }
                    Said::Searched(code, _) => return Err(codes::of_search(code)),
                    Said::Bound(_) | Said::Done(..) => {
                        return Err(Failure::WrongFormat("a search is answered by something else".to_owned()));
                    }
                }
            };
            if let Some(progress) = &network.progress {
                progress.came(wire.came() - came);
            }
            if cookie.is_empty() {
                break;
            }
            empty = if entries.len() == before { empty + 1 } else { 0 };
            if empty >= EMPTY_PAGES {
                return Err(Failure::Truncated(format!(
                    "{EMPTY_PAGES} pages in a row show nobody, and another follows"
                )));
            }
        }
        wire.close().await;
        Ok(entries)
    }
}
