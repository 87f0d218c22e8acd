//! What can be seen of an installation: its objects, and what its commands say.

use std::path::PathBuf;
use std::process::Output;

use kube::ResourceExt;
use kube::api::ListParams;
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{Person, Revocation};

use super::Installation;
use crate::support::process::rollcall;
use crate::support::waiting::eventually;

impl Installation {
    /// The Person of an HR id.
    pub async fn person(&self, id: &str) -> Option<Person> {
        self.all_persons().await.into_iter().find(|person| person.spec.records.iter().any(|record| record.id == id))
    }

    /// All Persons.
    pub async fn all_persons(&self) -> Vec<Person> {
        self.api::<Person>().list(&Default::default()).await.unwrap().items
    }

    /// All Revocations.
    pub async fn all_revocations(&self) -> Vec<Revocation> {
        self.api::<Revocation>().list(&Default::default()).await.unwrap().items
    }

    /// All Revocations of an HR id, oldest first.
    pub async fn revocations(&self, id: &str) -> Vec<Revocation> {
        let Some(person) = self.person(id).await else { return Vec::new() };
        self.revocations_of(&person.name_any()).await
    }

    /// All Revocations of a Person, oldest first.
    pub async fn revocations_of(&self, person: &str) -> Vec<Revocation> {
        self.listed_of(person).await.unwrap()
    }

    /// The same, where the call may be lost.
    pub async fn listed_of(&self, person: &str) -> kube::Result<Vec<Revocation>> {
        let theirs = ListParams::default().fields(&format!("spec.person={person}"));
        let mut of_person = self.api::<Revocation>().list(&theirs).await?.items;
        of_person.sort_by_key(|revocation| revocation.metadata.creation_timestamp.clone());
        Ok(of_person)
    }

    /// Waits until the newest Revocation of this operation is in this phase, and gives it.
    pub async fn reaches(&self, id: &str, operation: Operation, phase: Phase) -> Revocation {
        eventually(&format!("{operation:?} of {id} is {phase:?}"), || async {
            let newest = self.revocations(id).await.into_iter().rfind(|r| r.spec.operation == operation)?;
            (newest.status.as_ref()?.phase == Some(phase)).then_some(newest)
        })
        .await
    }

    /// Lets `rollcall evidence verify` check the chain of this installation.
    pub fn evidence_verifies(&self) {
        self.succeeds(&["evidence", "verify"]);
    }

    /// Holds the person of an HR id, as an admin.
    pub fn hold(&self, id: &str) {
        self.succeeds(&["hold", &format!("{}/{id}", self.connection), "--reason", "an audit", "--yes"]);
    }

    /// Lifts that hold.
    pub fn lift_hold(&self, id: &str) {
        self.succeeds(&["hold", &format!("{}/{id}", self.connection), "--lift", "--yes"]);
    }

    /// Runs a command of Rollcall as an admin would, in the people namespace.
    pub fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.says(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, of a command that must end with a failure; gives what it says of it.
    pub fn fails(&self, arguments: &[&str]) -> String {
        let output = self.says(arguments);
        assert!(!output.status.success(), "{arguments:?} did not fail");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The same, of a command that may do either.
    pub fn says(&self, arguments: &[&str]) -> Output {
        self.says_with(&[], arguments)
    }

    /// The same, with more in its environment.
    pub fn says_with(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
        let mut command = rollcall();
        command.args(arguments).args(["--namespace", &self.namespace]).env("KUBECONFIG", &self.cluster.kubeconfig);
        command.envs(environment.iter().copied()).output().unwrap()
    }

    /// Waits until the newest Revocation of an HR id is held by this gate, and gives it.
    pub async fn waits_for(&self, id: &str, gate: &str) -> Revocation {
        eventually(&format!("the Revocation of {id} waits for {gate}"), || async {
            let waits = |revocation: &Revocation| {
                let status = revocation.status.as_ref();
                let shut = status.and_then(|status| status.gate.as_ref()).is_some_and(|shut| shut.reason == gate);
                shut && status.and_then(|status| status.phase) == Some(Phase::Held)
            };
            self.revocations(id).await.into_iter().rev().find(waits)
        })
        .await
    }

    /// The user name of one of the three identities: `sync`, `control` or `revoke`.
    pub fn identity(&self, command: &str) -> String {
        let namespace = if command == "revoke" { self.revoker_namespace() } else { self.namespace.clone() };
        format!("system:serviceaccount:{namespace}:{}-{command}", self.release)
    }

    /// Logs of everything that ran so far.
    pub fn logs(&self) -> Vec<PathBuf> {
        self.logs.lock().unwrap().clone()
    }

    /// The addresses that sync and control serve their metrics at.
    pub fn listening(&self) -> Vec<String> {
        self.listening.lock().unwrap().clone()
    }
}
