//! What a server serves: archives, what they share, and what goes on in the background.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rand;
use chatvault_engine::{Archive, Environment, EnvironmentOptions, Host, Options};
use chatvault_export::entry::SystemEvents;

use crate::failure::{Failure, Result};
use crate::organisation::{Organisation, is_archive};
use crate::work::Works;

/// What to serve and how.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// An archive, or a folder that holds archives, one a tenant.
    pub place: PathBuf,
    /// Where downloads are made; a folder beside the archive if `None`.
    pub downloads: Option<PathBuf>,
    /// How system events are shown, if a view does not choose.
    pub system_events: SystemEvents,
    /// Names by which browsers may call the server, beside those of this machine.
    pub hosts: Vec<String>,
}

/// Archives with everything that pages need of them.
#[derive(Debug)]
pub struct Site {
    settings: Settings,
    environment: Environment,
    /// It is a folder of archives.
    is_folder: bool,
    is_graph: bool,
    organisations: Mutex<BTreeMap<String, Arc<Organisation>>>,
    pub(crate) works: Works,
    pub(crate) keys: Keys,
}

/// What tells a browser that may be here from others. All new at each start.
#[derive(Debug)]
pub(crate) struct Keys {
    /// In the address that is printed.
    pub(crate) token: String,
    /// In the cookie.
    pub(crate) session: String,
    /// In each form.
    pub(crate) form: String,
}

impl Site {
    /// Looks at the place. `Err` says in words why there is nothing to serve.
    pub fn open(settings: Settings) -> std::result::Result<Self, String> {
        let is_one = is_archive(&settings.place);
        if !is_one && !is_folder(&settings.place) {
            return Err(format!("{}: no archive, and no folder", settings.place.display()));
        }
        let keys = Keys { token: random()?, session: random()?, form: random()? };
        let environment = Environment::new(EnvironmentOptions::default());
        let organisations = Mutex::default();
        let works = Works::default();
        let (is_folder, is_graph) = (!is_one, false);
        Ok(Self { settings, environment, is_folder, is_graph, organisations, works, keys })
    }

    /// Answers as Microsoft Graph does, too: the token is the secret of any client.
    #[must_use]
    pub fn as_graph(mut self) -> Self {
        self.is_graph = true;
        self
    }

    pub(crate) fn answers_as_graph(&self) -> bool {
        self.is_graph
    }

    /// The token that opens it, to be printed in the address.
    pub fn token(&self) -> &str {
        &self.keys.token
    }

    pub(crate) fn hosts(&self) -> &[String] {
        &self.settings.hosts
    }

    pub(crate) fn system_events(&self) -> SystemEvents {
        self.settings.system_events
    }

    pub(crate) fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// Every organisation, by name.
    pub(crate) fn organisations(&self) -> Result<Vec<Arc<Organisation>>> {
        names(&self.settings.place, self.is_folder)?
            .into_iter()
            .map(|name| self.organisation(&name))
            .collect()
    }

    /// The organisation with a name. Names are compared with what is there, so that none can lead
    /// elsewhere.
    pub(crate) fn organisation(&self, name: &str) -> Result<Arc<Organisation>> {
        let mut known = self.organisations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = known.get(name) {
            return Ok(Arc::clone(one));
        }
        if !names(&self.settings.place, self.is_folder)?.iter().any(|there| there == name) {
            return Err(Failure::missing("organisation of this name"));
        }
        let one = Arc::new(Organisation::new(
            name,
            self.folder(name),
            self.downloads(name),
            self.environment.clone(),
        ));
        drop(known.insert(name.to_owned(), Arc::clone(&one)));
        Ok(one)
    }

    /// Opens a single archive before its first page is asked for.
    pub(crate) fn warm(&self) {
        if let (false, Ok(all)) = (self.is_folder, self.organisations()) {
            for one in all {
                let _is_open = one.opens_soon();
            }
        }
    }

    /// Makes an archive for an organisation. Private chats are not backed up before that is switched on.
    pub(crate) fn create(&self, name: &str) -> Result<()> {
        let is_plain = |c: char| c.is_alphanumeric() || " .-_".contains(c);
        let is_name = !name.starts_with('.') && name.len() <= 100 && name.chars().all(is_plain);
        if !self.is_folder || !is_name || name.is_empty() {
            return Err(Failure::wrong("A name has letters, digits, spaces, dots, - and _"));
        }
        let mut options = Options::default();
        options.environment = Some(self.environment.clone());
        let archive = Archive::create(Host::disk(self.settings.place.join(name)), options)?;
        chatvault_ingest::sync::set_private_chats(&archive, false)?;
        Ok(archive.close()?)
    }

    fn folder(&self, name: &str) -> PathBuf {
        if self.is_folder { self.settings.place.join(name) } else { self.settings.place.clone() }
    }

    /// Each organisation of several has a folder of its own.
    fn downloads(&self, name: &str) -> PathBuf {
        match (&self.settings.downloads, self.is_folder) {
            (Some(folder), true) => folder.join(name),
            (Some(folder), false) => folder.clone(),
            (None, _) => {
                let folder = self.folder(name);
                let beside = folder.file_name().map(|own| {
                    let mut own = own.to_owned();
                    own.push(".downloads");
                    own
                });
                folder.with_file_name(beside.unwrap_or_else(|| "downloads".into()))
            }
        }
    }
}

/// The archives of a place, in order.
#[expect(clippy::disallowed_methods, reason = "which archives there are is outside of any archive")]
fn names(place: &Path, is_folder: bool) -> Result<Vec<String>> {
    if !is_folder {
        let whole = std::path::absolute(place)?;
        let name = whole.file_name().map(|name| name.to_string_lossy().into_owned());
        return Ok(vec![name.unwrap_or_else(|| "archive".to_owned())]);
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(place)? {
        let entry = entry?;
        if let (true, Ok(name)) = (is_archive(&entry.path()), entry.file_name().into_string()) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[expect(clippy::disallowed_methods, reason = "what the user names is outside of any archive")]
fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

/// 32 hexadecimal digits that nobody can guess.
fn random() -> std::result::Result<String, String> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_unspecified| "the system has no randomness".to_owned())?;
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    Ok(nibbles.filter_map(|nibble| char::from_digit(u32::from(nibble), 16)).collect())
}
