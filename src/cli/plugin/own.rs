//! `rollcall own`: says whose a ServiceAccount is, by its owner annotation.
//!
//! Written with the caller's own rights. To say it for the first time is free; to change it, an admission policy asks for the verb
//! `reassign`.

use clap::{ArgGroup, Args};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use super::asked::Asked;
use super::cluster::Cluster;
use super::coverage::{Unowned, read};
use super::people::{everybody, find, record};
use super::terminal::{plain, say};
use super::{Failure, ask};
use crate::api::{Person, convert, names};
use crate::kube::named::Api;
use domain::ownership::{Index, Owners};

/// Field manager of what is written.
const MANAGER: &str = "kubectl-rollcall";

/// Options of `rollcall own`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["account", "suggest"]).required(true)))]
#[command(
    after_help = "A mark on an account that stood without one is not acted on by itself for 30 days: if its owner leaves, a Revocation of its own waits for an approval. For GitOps, `kubectl rollcall own --suggest > owners.yaml`, and apply that on the server's side: kubectl apply --server-side --field-manager=owners -f owners.yaml"
)]
pub struct Options {
    /// The ServiceAccount, as NAMESPACE/NAME
    #[arg(value_name = "NAMESPACE/NAME", requires = "owner", conflicts_with_all = ["suggest", "apply"])]
    account: Option<String>,
    /// Its owner: a Person, an HR record (`hq/7`), an address, or a user name
    #[arg(long, requires = "account")]
    owner: Option<String>,
    /// Print the owners that `coverage` suggests, as manifests of the annotations alone
    #[arg(long)]
    suggest: bool,
    /// Write them
    #[arg(long, requires = "suggest")]
    apply: bool,
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    cluster: Cluster,
}

/// Says whose an account is; or what is suggested, and writes that.
///
/// # Flow          read, show, ask, write
/// # Guarantees    an owner is one Person who is known; nothing is written over an account that changed since it was shown
/// # Errors        why not, in the API server's words
pub async fn run(options: &Options) -> Result<(), Failure> {
    match (&options.account, &options.owner) {
        (Some(account), Some(owner)) => one(options, account, owner).await,
        _ => suggested(options).await,
    }
}

async fn one(options: &Options, account: &str, owner: &str) -> Result<(), Failure> {
    let Some((namespace, name)) =
        account.split_once('/').filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty())
    else {
        return Err(Failure::Refused(format!("{}: say NAMESPACE/NAME", plain(account))));
    };
    let (client, _, people) = everybody(&options.cluster).await?;
    let owner = mark(&people, owner)?;
    let before = standing(&client, namespace, name).await?;
    let was = before.annotations().get(names::OWNER);
    if was == Some(&owner) {
        say(&format!("ServiceAccount {}: its owner is {} already", plain(account), plain(&owner)));
        return Ok(());
    }
    let was = was.map_or_else(|| "nobody's".to_owned(), |was| format!("{}'s", plain(was)));
    options.asked.confirm(format!("ServiceAccount {} is {was}. Make it {}'s?", plain(account), plain(&owner)))?;
    write(&client, &before, &owner).await?;
    say(&format!("ServiceAccount {}: its owner is {}", plain(account), plain(&owner)));
    Ok(())
}

/// What an owner annotation says of this one Person: as it was typed where that resolves to them, else by an HR record.
fn mark(people: &[Person], typed: &str) -> Result<String, Failure> {
    let person = find(people, typed)?;
    let index = Index::new(people.iter().map(convert::known_by).collect());
    let resolves = matches!(index.resolve(typed), Owners::One(one) if Some(&one.uid) == person.uid().as_ref());
    let record = person.spec.records.first().map(|first| format!("id:{}", record(first)));
    match (resolves, record) {
        (true, _) => Ok(typed.trim().to_owned()),
        (false, Some(record)) => Ok(record),
        (false, None) => Err(Failure::Refused(format!("{} has no HR record", person.name_any()))),
    }
}

async fn standing(client: &Client, namespace: &str, name: &str) -> Result<ServiceAccount, Failure> {
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    ask("read the ServiceAccount", api.get(name)).await
}

/// Writes the annotation, over exactly what was read.
async fn write(client: &Client, before: &ServiceAccount, owner: &str) -> Result<(), Failure> {
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), &before.namespace().unwrap_or_default());
    let patch = json!({"metadata": {
        "uid": before.metadata.uid, "resourceVersion": before.metadata.resource_version,
        "annotations": {names::OWNER: owner},
    }});
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    ask("write the owner", api.patch(&before.name_any(), &params, &Patch::Merge(&patch))).await.map(drop)
}

async fn suggested(options: &Options) -> Result<(), Failure> {
    let client = options.cluster.client().await?;
    let found = read(&client, options.cluster.namespace()).await?;
    let suggested: Vec<(&Unowned, &str)> =
        found.unowned.iter().filter_map(|one| Some((one, one.suggested.as_deref()?))).collect();
    if suggested.is_empty() {
        return Err(Failure::Refused(format!("no owner can be suggested. {}", found.notes.join(" "))));
    }
    if !options.apply {
        say(&manifests(&suggested)?);
        return Ok(());
    }
    for (one, owner) in &suggested {
        say(&format!("{}: {} ({})", plain(&one.what()), plain(owner), one.because.as_deref().unwrap_or_default()));
    }
    options.asked.confirm(format!("Write these {} owners?", suggested.len()))?;
    for (one, owner) in suggested {
        let before = standing(&client, &one.namespace, &one.name).await?;
        if before.annotations().contains_key(names::OWNER) {
            say(&format!("{}: somebody has said whose it is, and it is left alone", plain(&one.what())));
            continue;
        }
        write(&client, &before, owner).await?;
    }
    Ok(())
}

/// The annotations alone, as documents of one file that is applied on the server's side.
fn manifests(suggested: &[(&Unowned, &str)]) -> Result<String, Failure> {
    let document = |(one, owner): &(&Unowned, &str)| {
        let manifest: Value = json!({
            "apiVersion": "v1", "kind": one.kind,
            "metadata": {"name": one.name, "namespace": one.namespace, "annotations": {names::OWNER: owner}},
        });
        let text = serde_saphyr::to_string(&manifest).map_err(|error| Failure::Refused(error.to_string()))?;
        Ok(format!("# {}\n{}", one.because.as_deref().unwrap_or_default(), text.trim_end()))
    };
    let documents = suggested.iter().map(document).collect::<Result<Vec<_>, Failure>>()?;
    Ok(documents.join("\n---\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(id: &str, aliases: &[&str]) -> Person {
        serde_json::from_value(json!({
            "metadata": {"name": format!("p-{id}"), "namespace": "rollcall", "uid": format!("u-{id}")},
            "spec": {"records": [{"connection": "hq", "id": id}]}, "status": {"aliases": aliases},
        }))
        .unwrap()
    }

    #[test]
    fn an_owner_is_one_person_who_is_known() {
        let people = [
            person("7", &["email:ada@example.com", "user:ada"]),
            person("8", &["email:desk@example.com"]),
            person("9", &["email:desk@example.com"]),
        ];
        for (what, typed, expected) in [
            ("an HR record", "hq/7", Some("id:hq/7")),
            ("as an annotation says it", "id:hq/7", Some("id:hq/7")),
            ("the Person", "p-7", Some("id:hq/7")),
            ("an address", "ada@example.com", Some("ada@example.com")),
            ("a user name", "ada", Some("id:hq/7")),
            ("an address of two", "desk@example.com", None),
            ("nobody", "eve@example.com", None),
        ] {
            assert_eq!(mark(&people, typed).ok().as_deref(), expected, "{what}");
        }
    }

    #[test]
    fn suggestions_are_manifests_of_the_annotation_alone() {
        let one = |name: &str| Unowned {
            kind: "ServiceAccount",
            namespace: "apps".into(),
            name: name.into(),
            why: "NoOwner",
            suggested: None,
            because: Some("a label of the account".into()),
        };
        let (ci, web) = (one("ci"), one("web"));
        let text = manifests(&[(&ci, "id:hq/7"), (&web, "id:hq/8")]).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        let expected = json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "ci", "namespace": "apps", "annotations": {names::OWNER: "id:hq/7"}}});
        assert_eq!((documents.len(), &documents[0]), (2, &expected));
        assert!(text.starts_with("# a label of the account\n"), "{text}");
    }
}
