//! What Helm does with an installation of which there are two versions: it upgrades, and rolls back.

use std::process::Command;

use serde_json::{Value, json};

use super::{Installation, chart};
use crate::support::cluster::helm;
use crate::support::objects::overlay;
use crate::support::versions;

impl Installation {
    /// Installs another version, as `helm upgrade` does, with the kinds that it has. What is started from now on is of it.
    pub async fn upgrade_to(&self, version: &str) {
        versions::install(version);
        let values = self.whole(self.of_version(version));
        let mut command = self.helm("upgrade");
        command.arg(&self.release).arg(versions::chart());
        command.args(["--install", "--take-ownership", "--values", "-"]); // what the story made by hand is Helm's now
        chart::feed(command, &values.to_string());
        self.takes(&values).await;
    }

    /// Goes back to a release, as `helm rollback` does, which was of this version.
    pub async fn roll_back_to(&self, revision: &str, version: &str) {
        versions::install(version);
        let mut command = self.helm("rollback");
        command.args([&self.release, revision]);
        chart::feed(command, "");
        self.takes(&self.whole(self.of_version(version))).await;
    }

    fn helm(&self, verb: &str) -> Command {
        let mut command = helm();
        command.args([verb, "--namespace", &self.namespace]).env("KUBECONFIG", &self.cluster.kubeconfig);
        command
    }

    /// What control is told by the chart, and that its policies are there.
    async fn takes(&self, values: &Value) {
        let manifests = chart::render(&self.admin, &self.release, &self.namespace, values).await;
        self.told_by(&manifests).await;
    }

    /// The values of this installation, and those that differ between versions: an image is called by its version.
    fn of_version(&self, version: &str) -> Value {
        let mut values = self.values.clone();
        overlay(&mut values, json!({"image": {"tag": version}, "crds": {"install": true}}));
        values
    }
}
