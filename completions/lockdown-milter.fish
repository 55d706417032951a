# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_lockdown_milter_global_optspecs
    string join \n h/help V/version
end

function __fish_lockdown_milter_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_lockdown_milter_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_lockdown_milter_using_subcommand
    set -l cmd (__fish_lockdown_milter_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c lockdown-milter -n "__fish_lockdown_milter_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lockdown-milter -n "__fish_lockdown_milter_needs_command" -s V -l version -d 'Print version'
complete -c lockdown-milter -n "__fish_lockdown_milter_needs_command" -f -a "run" -d 'Serve the MTA, in the foreground'
complete -c lockdown-milter -n "__fish_lockdown_milter_needs_command" -f -a "check" -d 'Check the configuration and say what it will enforce'
complete -c lockdown-milter -n "__fish_lockdown_milter_needs_command" -f -a "audit" -d 'Look at this host by the hardening guide: a checklist, with the lines that mend what is open'
complete -c lockdown-milter -n "__fish_lockdown_milter_needs_command" -f -a "explain" -d 'Say what would happen to a message, and why'
complete -c lockdown-milter -n "__fish_lockdown_milter_needs_command" -f -a "report" -d 'Sum up a log: what was refused or would be, and which logins sent as somebody else'
complete -c lockdown-milter -n "__fish_lockdown_milter_needs_command" -f -a "catch-all" -d 'Retire a catch-all: who uses the names behind it, and which aliases replace it'
complete -c lockdown-milter -n "__fish_lockdown_milter_needs_command" -f -a "config" -d 'Show the configuration as it is in force'
complete -c lockdown-milter -n "__fish_lockdown_milter_needs_command" -f -a "completions" -d 'Write completions for a shell'
complete -c lockdown-milter -n "__fish_lockdown_milter_needs_command" -f -a "harvest" -d 'Show or release what is blocked for guessing names'
complete -c lockdown-milter -n "__fish_lockdown_milter_needs_command" -f -a "spf" -d 'Look at SPF records: evaluate, lint, suggest, report'
complete -c lockdown-milter -n "__fish_lockdown_milter_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand run" -l config -d 'The configuration file' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand run" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand check" -l config -d 'The configuration file' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand check" -l postfix-dir -d 'Where Postfix\'s main.cf is [default: Postfix\'s own place, if there is one]' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand check" -l systemd-dir -d 'Where systemd\'s units are, to look at files as the daemon would; may be repeated [default: its own places]' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand check" -l offline -d 'Do not look at what the configuration meets: DNS, Postfix'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand check" -l json -d 'Write JSON'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand check" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand audit" -l config -d 'The configuration file' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand audit" -l postfix-dir -d 'Where main.cf and master.cf of Postfix are [default: Postfix\'s own place, if there is one]' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand audit" -l sendmail-cf -d 'The sendmail.cf of Sendmail [default: /etc/mail/sendmail.cf, if there is no Postfix]' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand audit" -l chapter -d 'This chapter only' -r -f -a "catch-all\t''
quiet\t''
authentication\t''
auth-match\t''
spf\t''
up-to-date\t''"
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand audit" -l accept -d 'Live with this row: if it is open or doubtful, it is accepted; may be repeated' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand audit" -l open -d 'Show what is to be done only, not what is good'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand audit" -l json -d 'Write JSON'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand audit" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l config -d 'The configuration file' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l client -d 'The client\'s address' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l client-name -d 'The client\'s verified host name [default: unknown]' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l helo -d 'The name in HELO or EHLO' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l mail-from -d 'The reverse-path; `<>` or an empty one is the null reverse-path' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l rcpt-to -d 'A recipient; may be repeated' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l login -d 'The login, as the MTA names it' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l header -d 'A header field, `"Name: value"`; may be repeated' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l message -d 'A message as it was stored or sent (RFC 5322); `-` is standard input. What the options do not say is taken from its Return-Path, Delivered-To and first Received field' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l role -d 'The role of the listener: auto, inbound, submission, local [default: auto]' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l assume -d 'An answer to take instead of asking; may be repeated: `spf=fail`, `spf.mailfrom=none`, `spf.helo=pass`, `recipient=wildcard`, `grant=no`, `harvest=blocked`, `usage=real`, `cause=foreign/fail`' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l ref -d 'Repeat a decision of the log: the reference of a reply, or a queue id' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l log -d 'The log that `--ref` is in, as JSON (`log.format: json`); `-` is standard input; may be repeated' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l sendmail -d 'The MTA is Sendmail, not Postfix'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l offline -d 'Ask no source: what the log or `--assume` does not say is unknown'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l all -d 'Show every finding, and the locks that were not needed'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -l json -d 'Write JSON'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand explain" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand report" -l config -d 'The configuration, which says which domains are ours [default: the installed one, if there is one]' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand report" -l since -d 'Count from then on: `24h`, `7d`, `2026-11-24`, `2026-11-24T08:00:00Z`' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand report" -l journal -d 'Read the journal of systemd, whatever standard input is'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand report" -l json -d 'Write JSON'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand report" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and not __fish_seen_subcommand_from report plan help" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and not __fish_seen_subcommand_from report plan help" -f -a "report" -d 'Show the names that are reached only through a wildcard, and who uses them'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and not __fish_seen_subcommand_from report plan help" -f -a "plan" -d 'Show the aliases that replace a wildcard, and what is lost with it'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and not __fish_seen_subcommand_from report plan help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and __fish_seen_subcommand_from report" -l config -d 'The configuration file' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and __fish_seen_subcommand_from report" -l domain -d 'This domain only' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and __fish_seen_subcommand_from report" -l all -d 'Show every name, not only some of those that nobody uses'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and __fish_seen_subcommand_from report" -l json -d 'Write JSON'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and __fish_seen_subcommand_from report" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and __fish_seen_subcommand_from plan" -l config -d 'The configuration file' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and __fish_seen_subcommand_from plan" -l domain -d 'The domain whose wildcard is to go' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and __fish_seen_subcommand_from plan" -l days -d 'Count what the last N days would have lost [default: all days on record]' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and __fish_seen_subcommand_from plan" -l target -d 'What the aliases lead to: the mailbox that the wildcard delivers to now' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and __fish_seen_subcommand_from plan" -l all -d 'Show every name, not only some of those that nobody uses'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and __fish_seen_subcommand_from plan" -l json -d 'Write JSON'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and __fish_seen_subcommand_from plan" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and __fish_seen_subcommand_from help" -f -a "report" -d 'Show the names that are reached only through a wildcard, and who uses them'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and __fish_seen_subcommand_from help" -f -a "plan" -d 'Show the aliases that replace a wildcard, and what is lost with it'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand catch-all; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand config; and not __fish_seen_subcommand_from show help" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand config; and not __fish_seen_subcommand_from show help" -f -a "show" -d 'Show every setting in force, and where it comes from'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand config; and not __fish_seen_subcommand_from show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand config; and __fish_seen_subcommand_from show" -l config -d 'The configuration file' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand config; and __fish_seen_subcommand_from show" -l domain -d 'Show what holds for this hosted domain, not the host and `defaults`' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand config; and __fish_seen_subcommand_from show" -l diff-profile -d 'Show only what differs from this profile, and in which domains: relaxed, standard, lockdown' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand config; and __fish_seen_subcommand_from show" -l json -d 'Write JSON'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show every setting in force, and where it comes from'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand completions" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand harvest; and not __fish_seen_subcommand_from list release help" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand harvest; and not __fish_seen_subcommand_from list release help" -f -a "list" -d 'List what is blocked for guessing names'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand harvest; and not __fish_seen_subcommand_from list release help" -f -a "release" -d 'Release what is blocked for guessing names, at once'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand harvest; and not __fish_seen_subcommand_from list release help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand harvest; and __fish_seen_subcommand_from list" -l config -d 'The configuration file' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand harvest; and __fish_seen_subcommand_from list" -l control -d 'The control socket [default: what the configuration says]' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand harvest; and __fish_seen_subcommand_from list" -l json -d 'Write JSON'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand harvest; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand harvest; and __fish_seen_subcommand_from release" -l config -d 'The configuration file' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand harvest; and __fish_seen_subcommand_from release" -l control -d 'The control socket [default: what the configuration says]' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand harvest; and __fish_seen_subcommand_from release" -l all -d 'Everything that is blocked'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand harvest; and __fish_seen_subcommand_from release" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand harvest; and __fish_seen_subcommand_from help" -f -a "list" -d 'List what is blocked for guessing names'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand harvest; and __fish_seen_subcommand_from help" -f -a "release" -d 'Release what is blocked for guessing names, at once'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand harvest; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and not __fish_seen_subcommand_from check lint suggest report help" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and not __fish_seen_subcommand_from check lint suggest report help" -f -a "check" -d 'Evaluate a client as the daemon does, and show every step'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and not __fish_seen_subcommand_from check lint suggest report help" -f -a "lint" -d 'Say what is wrong with a record, published or not'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and not __fish_seen_subcommand_from check lint suggest report help" -f -a "suggest" -d 'Write a record for a domain of ours, from what is known of who sends for it'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and not __fish_seen_subcommand_from check lint suggest report help" -f -a "report" -d 'Say how all hosted domains stand, and which are ready for -all'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and not __fish_seen_subcommand_from check lint suggest report help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from check" -l config -d 'The configuration file' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from check" -l dns -d 'The name server to ask, `IP` or `IP:PORT`; else those of the configuration, else those of the system' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from check" -l client -d 'The client\'s address' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from check" -l mail-from -d 'The reverse-path or its domain; `<>` is judged by HELO alone' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from check" -l helo -d 'The name in HELO or EHLO' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from check" -l json -d 'Write JSON'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from lint" -l config -d 'The configuration file' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from lint" -l dns -d 'The name server to ask, `IP` or `IP:PORT`; else those of the configuration, else those of the system' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from lint" -l domain -d 'The domain that is going to publish the record given as text' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from lint" -l outgoing -d 'An address from which mail leaves; may be repeated. Else what Postfix says, or this host\'s public addresses' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from lint" -l postfix-dir -d 'Where main.cf is, if not in Postfix\'s default' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from lint" -l not-this-host -d 'Do not ask whether this host\'s mail is covered, as another one sends it'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from lint" -l offline -d 'Do not ask DNS: only what a record given as text says by itself'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from lint" -l json -d 'Write JSON'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from lint" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from suggest" -l config -d 'The configuration file' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from suggest" -l dns -d 'The name server to ask, `IP` or `IP:PORT`; else those of the configuration, else those of the system' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from suggest" -l outgoing -d 'An address from which mail leaves; may be repeated. Else what Postfix says, or this host\'s public addresses' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from suggest" -l allow -d 'Somebody else who may send: a network, or the record of a service; may be repeated' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from suggest" -l postfix-dir -d 'Where main.cf is, if not in Postfix\'s default' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from suggest" -l json -d 'Write JSON'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from suggest" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from report" -l config -d 'The configuration file' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from report" -l dns -d 'The name server to ask, `IP` or `IP:PORT`; else those of the configuration, else those of the system' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from report" -l outgoing -d 'An address from which mail leaves; may be repeated. Else what Postfix says, or this host\'s public addresses' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from report" -l postfix-dir -d 'Where main.cf is, if not in Postfix\'s default' -r -F
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from report" -l mail -d 'Write a mail to this address, for sendmail -t' -r
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from report" -l json -d 'Write JSON'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from report" -s h -l help -d 'Print help'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from help" -f -a "check" -d 'Evaluate a client as the daemon does, and show every step'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from help" -f -a "lint" -d 'Say what is wrong with a record, published or not'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from help" -f -a "suggest" -d 'Write a record for a domain of ours, from what is known of who sends for it'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from help" -f -a "report" -d 'Say how all hosted domains stand, and which are ready for -all'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand spf; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and not __fish_seen_subcommand_from run check audit explain report catch-all config completions harvest spf help" -f -a "run" -d 'Serve the MTA, in the foreground'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and not __fish_seen_subcommand_from run check audit explain report catch-all config completions harvest spf help" -f -a "check" -d 'Check the configuration and say what it will enforce'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and not __fish_seen_subcommand_from run check audit explain report catch-all config completions harvest spf help" -f -a "audit" -d 'Look at this host by the hardening guide: a checklist, with the lines that mend what is open'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and not __fish_seen_subcommand_from run check audit explain report catch-all config completions harvest spf help" -f -a "explain" -d 'Say what would happen to a message, and why'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and not __fish_seen_subcommand_from run check audit explain report catch-all config completions harvest spf help" -f -a "report" -d 'Sum up a log: what was refused or would be, and which logins sent as somebody else'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and not __fish_seen_subcommand_from run check audit explain report catch-all config completions harvest spf help" -f -a "catch-all" -d 'Retire a catch-all: who uses the names behind it, and which aliases replace it'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and not __fish_seen_subcommand_from run check audit explain report catch-all config completions harvest spf help" -f -a "config" -d 'Show the configuration as it is in force'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and not __fish_seen_subcommand_from run check audit explain report catch-all config completions harvest spf help" -f -a "completions" -d 'Write completions for a shell'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and not __fish_seen_subcommand_from run check audit explain report catch-all config completions harvest spf help" -f -a "harvest" -d 'Show or release what is blocked for guessing names'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and not __fish_seen_subcommand_from run check audit explain report catch-all config completions harvest spf help" -f -a "spf" -d 'Look at SPF records: evaluate, lint, suggest, report'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and not __fish_seen_subcommand_from run check audit explain report catch-all config completions harvest spf help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and __fish_seen_subcommand_from catch-all" -f -a "report" -d 'Show the names that are reached only through a wildcard, and who uses them'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and __fish_seen_subcommand_from catch-all" -f -a "plan" -d 'Show the aliases that replace a wildcard, and what is lost with it'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'Show every setting in force, and where it comes from'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and __fish_seen_subcommand_from harvest" -f -a "list" -d 'List what is blocked for guessing names'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and __fish_seen_subcommand_from harvest" -f -a "release" -d 'Release what is blocked for guessing names, at once'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and __fish_seen_subcommand_from spf" -f -a "check" -d 'Evaluate a client as the daemon does, and show every step'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and __fish_seen_subcommand_from spf" -f -a "lint" -d 'Say what is wrong with a record, published or not'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and __fish_seen_subcommand_from spf" -f -a "suggest" -d 'Write a record for a domain of ours, from what is known of who sends for it'
complete -c lockdown-milter -n "__fish_lockdown_milter_using_subcommand help; and __fish_seen_subcommand_from spf" -f -a "report" -d 'Say how all hosted domains stand, and which are ready for -all'
