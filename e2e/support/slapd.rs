//! A real OpenLDAP on this machine, of Debian's package, which is installed where it is missing. It knows the attributes of Active
//! Directory that are read, and runs in a folder of its own.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use test_tls::Authority;

use super::debian;

/// Where its people lie.
pub const BASE: &str = "dc=example,dc=com";
/// Who reads them, and the password.
pub const READER: &str = "cn=rollcall,dc=example,dc=com";
pub const PASSWORD: &str = "of-the-reader";
const ADMIN: &str = "cn=admin,dc=example,dc=com";
const ADMIN_PASSWORD: &str = "of-the-admin";

/// Attributes of Active Directory, by the numbers that they have there.
const SCHEMA: &str = "
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.159 NAME 'accountExpires' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.782 NAME 'objectCategory' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.868 NAME 'isCriticalSystemObject' EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.2.141 NAME 'department' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.2.146 NAME 'company' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.35 NAME 'employeeID' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP top AUXILIARY MAY ( objectGUID $ userAccountControl $ accountExpires $
  objectCategory $ isCriticalSystemObject $ userPrincipalName $ department $ company $ employeeID ) )
";

/// The server, which ends with this value.
pub struct Slapd {
    directory: PathBuf,
    server: Option<Child>,
    pub authority: Authority,
    /// The port that speaks TLS at once.
    pub port: u16,
    /// The port that speaks it after a request.
    pub plain: u16,
}

/// Installs the server and its clients once, if they are not there. It has no directory of its own then, and does not run.
fn installed() {
    let there = || Path::new("/usr/sbin/slapd").exists() && Path::new("/usr/bin/ldapmodify").exists();
    let no_directory = "echo 'slapd slapd/no_configuration boolean true' | debconf-set-selections";
    let get = format!("{no_directory}; {}", debian::install("slapd ldap-utils"));
    debian::or_get("OpenLDAP", &get, || there().then_some(()));
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Slapd {
    /// Starts a server with nobody but its reader.
    pub fn start(story: &str) -> Self {
        installed();
        let (port, plain) = (free_port(), free_port());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("slapd-{story}-{port}"));
        fs::create_dir_all(directory.join("data")).unwrap();
        let mut slapd = Self { directory, server: None, authority: Authority::new(), port, plain };
        let (certificate, key) = slapd.authority.client("localhost");
        for (name, text) in [
            ("ad.schema", SCHEMA),
            ("server.crt", &certificate),
            ("server.key", &key),
            ("ca.crt", slapd.authority.pem()),
        ] {
            fs::write(slapd.directory.join(name), text).unwrap();
        }
        slapd.again("");
        slapd.adds(&format!(
            "dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n\
             dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: rollcall\nuserPassword: {PASSWORD}\n"
        ));
        slapd
    }

    /// Starts it again, with more words in its configuration: limits, rights.
    pub fn again(&mut self, words: &str) {
        self.end();
        let folder = self.directory.display();
        let configuration = format!(
            "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
             include /etc/ldap/schema/inetorgperson.schema\ninclude /etc/ldap/schema/nis.schema\ninclude {folder}/ad.schema\n\
             modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload ppolicy\n\
             TLSCertificateFile {folder}/server.crt\nTLSCertificateKeyFile {folder}/server.key\nTLSCACertificateFile {folder}/ca.crt\n\
             TLSVerifyClient allow\n\
             database mdb\nsuffix \"{BASE}\"\nrootdn \"{ADMIN}\"\nrootpw {ADMIN_PASSWORD}\ndirectory {folder}/data\n\
             maxsize 67108864\noverlay ppolicy\n{words}\n\
             access to attrs=userPassword by anonymous auth by * none\n\
             access to * by dn.exact=\"{READER}\" read by users read by * none\n"
        );
        let file = self.directory.join("slapd.conf");
        fs::write(&file, configuration).unwrap();
        let log = fs::File::create(self.directory.join("log")).unwrap();
        let server = Command::new("/usr/sbin/slapd")
            .args(["-d", "0", "-f"])
            .arg(&file)
            .args(["-h", &format!("ldaps://127.0.0.1:{}/ ldap://127.0.0.1:{}/", self.port, self.plain)])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.server = Some(server);
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let said = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            let ended = self.server.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "slapd does not listen: {ended:?} {said}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends the server; its people stay.
    pub fn end(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().ok();
            server.wait().ok();
        }
    }

    /// Adds entries, in LDIF.
    pub fn adds(&self, ldif: &str) {
        self.admin(&["ldapadd", "-c"], ldif);
    }

    /// Changes entries, in LDIF.
    pub fn changes(&self, ldif: &str) {
        self.admin(&["ldapmodify"], ldif);
    }

    fn admin(&self, program: &[&str], ldif: &str) {
        let url = format!("ldap://127.0.0.1:{}", self.plain);
        let mut client = Command::new(program[0])
            .args(&program[1..])
            .args(["-x", "-H", &url, "-D", ADMIN, "-w", ADMIN_PASSWORD, "-M"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        client.stdin.take().unwrap().write_all(ldif.as_bytes()).unwrap();
        let output = client.wait_with_output().unwrap();
        assert!(output.status.success(), "{ldif}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.end();
        if !std::thread::panicking() {
            fs::remove_dir_all(&self.directory).ok();
        }
    }
}
