//! `rollcall data`: which personal data a connection reads, from where, where each value is kept, for how long and why.
//!
//! ```text
//! connection ──▶ definition or columns ──▶ what the reader takes ─┐
//! policies ──▶ what they need, and what they keep ─────────────────┴──▶ rows
//! ```
//! The rows are made of the compiled definition that pages are read by, after what nobody needs was left out of it: what is
//! not listed is not read. Reads no HR system, and shows no value of anybody.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::ListParams;
use serde::Serialize;

use super::cluster::Cluster;
use super::output::Output;
use super::terminal::table;
use super::{Failure, ask, preview};
use crate::api::connection::{FileFrom, FileSource, Source};
use crate::api::policy::MatchKey;
use crate::api::{HRConnection, SyncPolicy};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::sync::convert;
use crate::sync::policy;
use crate::sync::source::{self, Objects};
use domain::account::{Availability, Fact};
use domain::field::{Field, Slot, Text};
use domain::moves::MoveField;
use domain::needs::{Needs, Wanted};
use domain::profile::{FieldMode, Modes, ProfileField};
use domain::webhook::Form;
use hris::definition::AccountFact;
use hris::{Purpose, Reading};

/// Options of `rollcall data`.
#[derive(Debug, Args)]
#[command(after_help = "With -f, nothing is asked of a cluster: what would be read can be seen before connecting.")]
pub struct Options {
    #[command(flatten)]
    cluster: Cluster,
    /// Name of the HRConnection
    #[arg(required_unless_present = "files", conflicts_with = "files")]
    connection: Option<String>,
    /// Manifests instead of a cluster: an HRConnection, optionally a SyncPolicy, and the ConfigMaps they name
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// What is read, and what becomes of it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Row {
    /// The request, or the file.
    from: String,
    /// The path in a record, or the column.
    path: String,
    /// Which field it is; empty where it is none.
    field: String,
    /// Where it is kept.
    kept: Vec<String>,
    /// For how long.
    until: &'static str,
    /// Why it is read.
    why: Vec<String>,
}

const AS_LONG_AS_THE_PERSON: &str = "the Person is deleted";
const NEXT_RESPONSE: &str = "the next trusted response";
const WHILE_READ: &str = "it was read";
/// Of a webhook: how long a request is known again.
const KNOWN_AGAIN: &str = "10 minutes";
const MEMORY: &str = "memory only";
/// Of a field whose changes are moves, and which is not kept as it is.
const DIGEST: &str = "Person status.moves.values, as a digest";

/// Said under the table: what is kept of people apart from their Persons.
const APART: &str = "What follows from statuses and dates (Active, Leave, …) stands on the Person. User names that are made of what is read also stand in the plans of Revocations, \
on the list of frozen ones (FrozenNames rollcall-frozen) and in the RoleBindings of spec.grants. Besides, keyed hashes of ids, addresses and first days are kept in the read history of the connection \
(Secret rollcall-memory-…), and status words without a meaning are counted on the connection.";

/// Prints what a connection reads.
///
/// # Errors
/// When the connection, its definition or its policy cannot be read or used.
pub async fn run(options: &Options) -> Result<(), Failure> {
    let (connection, policies, objects) = match &options.connection {
        Some(name) => of_cluster(&options.cluster, name).await?,
        None => preview::manifests(&options.files)?,
    };
    let rows = rows(&connection, &policies, &objects)?;
    options.output.print(&rows, || {
        let line = |row: &Row| {
            let Row { from, path, field, kept, until, why } = row;
            [from.clone(), path.clone(), field.clone(), kept.join(", "), (*until).to_owned(), why.join("; ")]
        };
        let mut parts = vec![table(["FROM", "PATH", "FIELD", "KEPT IN", "UNTIL", "WHY"], rows.iter().map(line))];
        let accounts = accounts(&connection, &objects)?;
        if !accounts.is_empty() {
            parts.push(format!("What is known of accounts:\n{}", accounts.join("\n")));
        }
        parts.push(APART.to_owned());
        Ok(parts.join("\n\n"))
    })
}

async fn of_cluster(cluster: &Cluster, name: &str) -> Result<(HRConnection, Vec<SyncPolicy>, Objects), Failure> {
    let (client, namespace) = (cluster.client().await?, cluster.namespace());
    let connections: Api<HRConnection> = Api::namespaced(client.clone(), namespace);
    let connection = ask("read the connection", connections.get_opt(name)).await?;
    let connection = connection.ok_or_else(|| Failure::Refused(format!("there is no HRConnection {name}")))?;
    let policies: Api<SyncPolicy> = Api::namespaced(client.clone(), namespace);
    let policies = ask("list the policies", policies.list(&ListParams::default())).await?.items;
    let mut objects = Objects::default();
    let definition = connection.spec.source.api.as_ref().and_then(|api| api.definition_ref.as_ref());
    if let Some(from) = definition {
        let config_maps: Api<ConfigMap> = Api::namespaced(client, namespace);
        let found = ask("read the definition", config_maps.get_opt(&from.name)).await?;
        objects.config_maps.extend(found.map(|found| (from.name.clone(), found)));
    }
    Ok((connection, policies, objects))
}

/// What is read for these policies, and what becomes of it.
fn rows(connection: &HRConnection, policies: &[SyncPolicy], objects: &Objects) -> Result<BTreeSet<Row>, Failure> {
    let wrong = |fault: Fault| Failure::Refused(fault.to_string());
    let needs = policy::needs(connection, policies);
    let name = connection.name_any();
    let (mut modes, mut digested) = (Vec::new(), BTreeSet::new());
    for policy in policies.iter().filter(|policy| policy::over(policy, &name)) {
        let fields = Modes::new(&policy.spec.fields);
        let fields =
            fields.map_err(|refused| Failure::Refused(format!("SyncPolicy {}: spec.{refused}", policy.name_any())))?;
        let moves =
            convert::move_terms(policy, &fields).map_err(|unreadable| Failure::Refused(unreadable.to_string()))?;
        let shown = |field: &MoveField| fields.of(&field.field()) == FieldMode::Continuous;
        let others = moves.on.iter().filter(|field| !shown(field)).filter_map(|field| field.field().field());
        digested.extend(others);
        modes.push(fields);
    }
    let from = &connection.spec.source;
    let Source { api, file, ldap, scim } = from;
    let readings = match (api, file, ldap, scim) {
        (Some(_), None, None, None) => {
            let definition = source::named_definition(&connection.spec, objects).map_err(wrong)?;
            let mut definition = definition.ok_or_else(|| Failure::Refused("there is no definition".to_owned()))?;
            definition.keep_to(&needs);
            definition.readings().map_err(Failure::Refused)?
        }
        (None, Some(file), None, None) => {
            let mut format = source::csv_format(&file.csv).map_err(wrong)?;
            format.needs = Some(needs.clone());
            format.readings(&file_in_words(file))
        }
        (None, None, Some(ldap), None) => {
            let mut mapping = source::directory(ldap).map_err(Failure::Refused)?;
            mapping.definition.keep_to(&needs);
            mapping.readings(&format!("LDAP search of {}", ldap.host)).map_err(Failure::Refused)?
        }
        (None, None, None, Some(scim)) => {
            let mut definition = source::pushed_definition(scim).map_err(Failure::Refused)?;
            definition.keep_to(&needs);
            definition.readings().map_err(Failure::Refused)?
        }
        _ => {
            return Err(Failure::Refused(
                "spec.source: exactly one of api, file, ldap and scim must be set".to_owned(),
            ));
        }
    };
    let over = policies.iter().filter(|one| policy::over(one, &name));
    let by_number = over.flat_map(|one| &one.spec.matching.keys).any(|key| *key == MatchKey::EmployeeNumber);
    let rows = readings.into_iter().map(|reading| {
        let digested = matches!(&reading.purpose, Purpose::Field(slot) if digested.contains(&slot.field()));
        let mut row = row(reading, &needs, &modes, by_number);
        if digested {
            row.kept.retain(|place| place != MEMORY);
            row.kept.push(DIGEST.to_owned());
            row.until = AS_LONG_AS_THE_PERSON;
        }
        row
    });
    Ok(rows.chain(of_webhook(connection)).collect())
}

/// What is taken of a webhook: whether it is the HR system's own, and nothing of what it says.
fn of_webhook(connection: &HRConnection) -> Option<Row> {
    let webhook = connection.spec.source.api.as_ref()?.webhook.as_ref()?;
    let form = webhook.form;
    Some(Row {
        from: format!("POST /webhooks/{}", connection.name_any()),
        path: if form == Form::SharedSignals {
            "of the body iss, aud, iat, exp and jti, and its signature".to_owned()
        } else {
            format!("the whole body, unread, and {}", form.scheme().header)
        },
        field: String::new(),
        kept: vec![format!("{MEMORY}, as a digest; ReadHint spec.taken has the time")],
        until: KNOWN_AGAIN,
        why: vec![format!("whether it is the HR system's own: source.api.webhook, form {}", form.as_str())],
    })
}

/// Each fact of accounts: whether it is known, what it needs or why it is not given, and who says so.
fn accounts(connection: &HRConnection, objects: &Objects) -> Result<Vec<String>, Failure> {
    let wrong = |fault: Fault| Failure::Refused(fault.to_string());
    let definition = source::named_definition(&connection.spec, objects).map_err(wrong)?;
    let Some(definition) = definition.filter(|one| !one.account.is_empty()) else { return Ok(Vec::new()) };
    let shown = connection.status.as_ref().and_then(|status| status.capabilities.as_ref());
    let shown = shown.map(|capabilities| capabilities.account.as_slice()).unwrap_or_default();
    let line = |(fact, said): (&Fact, &AccountFact)| {
        let seen = shown.iter().find(|one| one.fact == *fact);
        let known = match (seen, &said.not_given) {
            (Some(seen), _) => format!("{}, of {} people", seen.availability.words(), seen.people),
            (None, Some(_)) => Availability::NotGiven.words().to_owned(),
            (None, None) => "asked for where a policy keeps it".to_owned(),
        };
        let more = said.not_given.clone().or_else(|| said.needs.as_ref().map(|needs| format!("needs {needs}")));
        let more = more.map(|more| format!("; {more}")).unwrap_or_default();
        format!("  {}: {known}{more} ({})", fact.as_str(), said.source)
    };
    Ok(definition.account.iter().map(line).collect())
}

/// Where a file lies; nothing of its address that could be a secret.
fn file_in_words(file: &FileSource) -> String {
    let FileFrom { config_map, http, sftp } = &file.from;
    let host = |url: &str| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().unwrap_or_default().rsplit('@').next().unwrap_or_default().to_owned()
    };
    let map = config_map.as_ref().map(|from| format!("ConfigMap {}, key {}", from.name, from.key));
    let http = http.as_ref().map(|from| format!("file of {}", host(&from.url)));
    let sftp = sftp.as_ref().map(|from| format!("{} of {}", from.path.pattern, from.host));
    map.or(http).or(sftp).unwrap_or_default()
}

fn row(reading: Reading, needs: &Needs, modes: &[Modes], by_number: bool) -> Row {
    let Reading { request, path, purpose } = reading;
    let (field, wanted, kept) = match &purpose {
        Purpose::Field(slot) => {
            (slot.name().to_owned(), Some(Wanted::Field(slot.field())), kept(*slot, modes, by_number))
        }
        Purpose::Custom(name) => {
            let field = ProfileField::Custom(name.clone());
            (field.to_string(), Some(Wanted::from(&field)), in_profile(&field, modes))
        }
        Purpose::Decides | Purpose::Sorts | Purpose::Names | Purpose::Pages => (String::new(), None, Vec::new()),
    };
    let mut why = match &purpose {
        Purpose::Decides => vec!["the status, or the end, is told by it".to_owned()],
        Purpose::Sorts => vec!["whose a record is, and which of several counts".to_owned()],
        Purpose::Names => vec!["the name of an id".to_owned()],
        Purpose::Pages => vec!["pages, totals and errors: of nobody".to_owned()],
        Purpose::Field(_) | Purpose::Custom(_) => {
            wanted.iter().flat_map(|wanted| needs.why(wanted)).map(ToString::to_string).collect()
        }
    };
    if why.is_empty() {
        why.push("the connector: required".to_owned()); // a response without it is refused, whoever needs it
    }
    let until = match (&purpose, kept.is_empty()) {
        (_, false) => AS_LONG_AS_THE_PERSON,
        (Purpose::Field(_) | Purpose::Custom(_), true) => NEXT_RESPONSE,
        (_, true) => WHILE_READ,
    };
    let kept = if kept.is_empty() { vec![MEMORY.to_owned()] } else { kept };
    Row { from: request, path, field, kept, until, why }
}

/// Where on a Person a value stands.
fn kept(slot: Slot, modes: &[Modes], by_number: bool) -> Vec<String> {
    let places: &[&str] = match slot {
        Slot::EmployeeId => &["Person spec.records", "Person status.employments[].id"],
        Slot::Email => &["Person status.profile.workEmail", "Person status.aliases"],
        Slot::Status => &["Person status.employments[].reportedStatus"],
        Slot::HireDate => &["Person status.employments[].startDate"],
        Slot::TerminationDate | Slot::LastWorkingDay => &[
            "Person status.employments[].lastWorkingDay",
            "Person status.employments[].announced",
            "Person status.employment.lastDay",
        ],
        Slot::ContractEnd => &["Person status.employments[].contractEnd"],
        Slot::TerminationReason => &["Person status.employments[].urgent"], // whether it is, and no more
        Slot::EmployeeNumber if by_number => &["Person status.aliases"],
        Slot::Location => &["Person status.employment.timeZone"],
        _ => &[],
    };
    let of_profile = match slot.field() {
        Field::FullName => Some(ProfileField::DisplayName),
        Field::Manager => Some(ProfileField::Manager),
        Field::EmploymentType => Some(ProfileField::EmploymentType),
        _ => {
            let text = Text::ALL.iter().copied().find(|text| text.slot() == slot).map(ProfileField::Text);
            text.or_else(|| Fact::of_slot(slot).map(ProfileField::Account))
        }
    };
    let own = places.iter().map(|place| (*place).to_owned());
    own.chain(of_profile.iter().flat_map(|field| in_profile(field, modes))).collect()
}

/// Where in the profile of a Person a field stands.
fn in_profile(field: &ProfileField, modes: &[Modes]) -> Vec<String> {
    let place = |modes: &Modes| match modes.of(field) {
        FieldMode::Once => Some(format!("Person spec.profile.{field}")),
        FieldMode::Continuous if matches!(field, ProfileField::Account(_)) => {
            Some(format!("Person status.employments[].account.{field}"))
        }
        FieldMode::Continuous => Some(format!("Person status.profile.{field}")),
        FieldMode::Never => None,
    };
    let places: BTreeSet<String> = modes.iter().filter_map(place).collect();
    places.into_iter().collect()
}

#[cfg(test)]
mod tests;
