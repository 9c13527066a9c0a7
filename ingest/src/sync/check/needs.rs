//! The application permissions that a run needs, and what each is for.

use chatvault_graph::{Failure, FailureKind};

use crate::sync::{Check, SyncOptions};

/// Permissions of which one is enough, and what for.
#[derive(Debug, PartialEq, Eq)]
struct Need {
    any_of: Vec<&'static str>,
    of: String,
}

fn needs(options: &SyncOptions) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    let mut need = |any_of: &[&'static str], of: &str| match needs
        .iter_mut()
        .find(|need| need.any_of == any_of)
    {
        Some(need) => need.of.extend([", ", of]),
        None => needs.push(Need { any_of: any_of.to_vec(), of: of.to_owned() }),
    };
    for feed in &options.feeds {
        need(&[feed.permission()], feed.name());
    }
    let (users, teams) = (
        options.discover && options.feeds.iter().any(|feed| feed.of_user()),
        options.discover && options.feeds.iter().any(|feed| feed.of_team()),
    );
    if users {
        need(&["User.Read.All", "Directory.Read.All"], "users of the directory");
    }
    if teams {
        let groups = ["GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"];
        need(&groups, "teams of the directory");
    }
    if teams && options.deleted {
        need(&["Team.ReadBasic.All", "TeamSettings.Read.All"], "deleted teams");
    }
    if teams_have_names(options) {
        let names = ["Channel.ReadBasic.All", "ChannelSettings.Read.All", "Directory.Read.All"];
        need(&names, "names of channels");
    }
    if options.content.files {
        need(&["Files.Read.All", "Sites.Read.All"], "attached files");
    }
    needs
}

/// Are channels asked for their names? Chats are by the permission of their messages.
fn teams_have_names(options: &SyncOptions) -> bool {
    options.directory && options.feeds.iter().any(|feed| feed.of_team())
}

/// Each permission, granted or not.
pub(super) fn permissions(options: &SyncOptions, roles: &[String]) -> Vec<Check> {
    needs(options).iter().map(|need| need.check(roles)).collect()
}

impl Need {
    fn check(&self, roles: &[String]) -> Check {
        let granted = roles.iter().find(|role| self.any_of.iter().any(|one| covers(role, one)));
        let name = self.any_of.first().copied().unwrap_or_default();
        let outcome = match granted {
            Some(role) if role == name => Ok(format!("granted, for {}", self.of)),
            Some(role) => Ok(format!("granted as {role}, for {}", self.of)),
            None => {
                let told = format!("the app has no permission {name}, needed for {}", self.of);
                Err(Failure::new(FailureKind::Permission, told))
            }
        };
        Check::new(format!("permission {name}"), outcome)
    }
}

/// What may write may read.
fn covers(role: &str, wanted: &str) -> bool {
    role == wanted || role == wanted.replace(".Read.", ".ReadWrite.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Content;
    use chatvault_graph::Feed;

    fn told(options: &SyncOptions, roles: &[&str]) -> Vec<(String, bool)> {
        let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
        let checks = permissions(options, &roles).into_iter();
        checks.map(|check| (check.what, check.outcome.is_ok())).collect()
    }

    #[test]
    fn what_is_chosen_decides_what_is_needed() {
        let mut options = SyncOptions::new("");
        let all = [
            "Chat.Read.All",
            "ChannelMessage.Read.All",
            "User.Read.All",
            "GroupMember.Read.All",
            "Team.ReadBasic.All",
            "Channel.ReadBasic.All",
            "Files.Read.All",
        ];
        let names = |granted: bool| all.map(|name| (format!("permission {name}"), granted));
        assert_eq!(told(&options, &all), names(true));
        assert_eq!(told(&options, &[]), names(false));
        let wider = [
            "Chat.ReadWrite.All",
            "ChannelMessage.Read.All",
            "Directory.Read.All",
            "Group.ReadWrite.All",
            "TeamSettings.Read.All",
            "ChannelSettings.ReadWrite.All",
            "Sites.ReadWrite.All",
        ];
        assert_eq!(told(&options, &wider), names(true));
        options.feeds = vec![Feed::Copilot];
        options.discover = false;
        options.content = Content { hosted: true, files: false, meetings: true };
        let copilot = "permission AiEnterpriseInteraction.Read.All".to_owned();
        assert_eq!(told(&options, &all), [(copilot, false)]);
    }
}
