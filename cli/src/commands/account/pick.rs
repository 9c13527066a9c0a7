//! Which account people mean.

use chatvault_engine::Custodian;
use chatvault_ingest::sync::Account;

use crate::failure::WrongUsage;

/// The account of a typed or bare id, an address, or a name that only one has.
pub(in crate::commands) fn pick<'a>(
    accounts: &'a [Account],
    text: &str,
) -> Result<&'a Account, WrongUsage> {
    let of_id = |account: &&Account| is_id(account, text);
    let of_address = |account: &&Account| same(account.address.as_deref(), text);
    let of_name = |account: &&Account| same(account.name.as_deref(), text);
    let named = || accounts.iter().filter(of_name);
    let certain = accounts.iter().find(of_id).or_else(|| accounts.iter().find(of_address));
    match (certain, named().next(), named().count()) {
        (Some(account), ..) | (None, Some(account), 1) => Ok(account),
        (None, Some(_), _) => {
            Err(WrongUsage(format!("more than one account is called {text}: name it by its id")))
        }
        (None, None, _) => Err(WrongUsage(format!(
            "there is no account {text}: `chatvault account list ARCHIVE` shows them"
        ))),
    }
}

fn is_id(account: &Account, text: &str) -> bool {
    let custodian = account.custodian.as_str();
    let bare = [Custodian::user(text), Custodian::team(text)];
    custodian.eq_ignore_ascii_case(text)
        || bare.iter().any(|typed| custodian.eq_ignore_ascii_case(typed.as_str()))
}

fn same(value: Option<&str>, text: &str) -> bool {
    value.is_some_and(|value| value.to_lowercase() == text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(custodian: &str, name: &str, address: Option<&str>) -> Account {
        let (name, address) = (Some(name.to_owned()), address.map(str::to_owned));
        Account { name, address, ..Account::new(Custodian::parse(custodian)) }
    }

    #[test]
    fn an_account_is_found_by_id_address_or_a_name_of_its_own() {
        let accounts = [
            account("user:1f", "Ann Lee", Some("Ann@contoso.com")),
            account("user:2e", "Ben Okri", Some("ben@contoso.com")),
            account("team:3d", "Sales", None),
            account("team:4c", "Ben Okri", None),
        ];
        let found = |text: &str| match pick(&accounts, text) {
            Ok(account) => account.custodian.to_string(),
            Err(WrongUsage(told)) => told,
        };
        for (text, custodian) in [
            ("user:1f", "user:1f"),
            ("1F", "user:1f"),
            ("3d", "team:3d"),
            ("ANN@contoso.com", "user:1f"),
            ("sales", "team:3d"),
        ] {
            assert_eq!(found(text), custodian, "{text}");
        }
        assert!(found("Ben Okri").starts_with("more than one"));
        assert!(found("nobody").starts_with("there is no account nobody"));
        assert!(found("user:3d").starts_with("there is no account"), "a team is no user");
    }
}
