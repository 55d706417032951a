# example.org ties a login to its own addresses, in the envelope and in the header.
submission ADDR=192.0.2.77 NAME=laptop.example
> EHLO laptop.example
< 250 *
starttls
> EHLO laptop.example
< 250 *
login alice@example.org

# Its own address.
mail alice@example.org -> friend@outside.test
message
    From: Alice <alice@example.org>
    To: friend@outside.test
    Subject: own address
    Date: Tue, 24 Nov 2026 12:00:00 +0000
    Message-ID: <own@example.org>

    Hello.
< 250 2.0.0 *
log event=message verdict=pass login=alice@example.org origin=login client=192.0.2.77 mail_from=alice@example.org
delivered alice@example.org -> friend@outside.test
    Received: *
    From: Alice <alice@example.org>
    To: friend@outside.test
    Subject: own address
    Date: Tue, 24 Nov 2026 12:00:00 +0000
    Message-ID: <own@example.org>

    Hello.

# With a subaddress, and in other letters.
mail Alice+news@EXAMPLE.org -> friend@outside.test
message
    From: ALICE+other@Example.Org
    Subject: own subaddress

    Hello.
< 250 2.0.0 *
log event=message verdict=pass login=alice@example.org
delivered * -> friend@outside.test

# An alias that is granted to it; what comes for it is somebody else's.
mail sales@example.org -> friend@outside.test
message
    From: "Example, Sales" <sales@example.org>
    Sender: alice@example.org
    Subject: granted alias

    Hello.
< 250 2.0.0 *
log event=message verdict=pass login=alice@example.org
delivered sales@example.org -> friend@outside.test

# Any address of a domain that is granted to it.
mail anybody@brand.test -> friend@outside.test
message
    From: somebody@brand.test, alice@example.org
    Subject: granted domain

    Hello.
< 250 2.0.0 *
log event=message verdict=pass login=alice@example.org
delivered anybody@brand.test -> friend@outside.test

# A receipt has the null reverse-path.
mail  -> friend@outside.test
message
    From: alice@example.org
    Subject: Read: hello

    Read.
< 250 2.0.0 *
log event=message verdict=pass login=alice@example.org
delivered  -> friend@outside.test

# A colleague's address, and another domain.
> MAIL FROM:<bob@example.org>
< 250 2.1.0 *
> RCPT TO:<friend@outside.test>
< 550 5.7.1 *alice@example.org may not send as bob@example.org (ref {bob})
log event=recipient verdict=reject check=auth_match reason=auth-match-mail-from login=alice@example.org mail_from=bob@example.org rcpt_to=friend@outside.test ref={bob}
> RSET
< 250 2.0.0 *
> MAIL FROM:<alice@elsewhere.test>
< 250 2.1.0 *
> RCPT TO:<friend@outside.test>
< 550 5.7.1 *alice@example.org may not send as alice@elsewhere.test (ref {elsewhere})
log event=recipient verdict=reject check=auth_match reason=auth-match-mail-from ref={elsewhere}
> RSET
< 250 2.0.0 *

# The same in the header, also under the null reverse-path.
mail alice@example.org -> friend@outside.test
message
    From: bob@example.org
    Subject: a colleague

    Hello.
< 550 5.7.1 *alice@example.org may not send as bob@example.org (ref {header})
log event=message verdict=reject check=auth_match reason=auth-match-header-from header_from=bob@example.org ref={header}
mail  -> friend@outside.test
message
    From: alice@elsewhere.test
    Subject: another domain

    Hello.
< 550 5.7.1 *alice@example.org may not send as alice@elsewhere.test (ref {null})
log event=message verdict=reject check=auth_match reason=auth-match-header-from ref={null}
mail alice@example.org -> friend@outside.test
message
    From: alice@example.org
    Sender: bob@example.org
    Subject: a colleague sends for her

    Hello.
< 550 5.7.1 *alice@example.org may not send as bob@example.org (ref {sender})
log event=message verdict=reject check=auth_match reason=auth-match-sender ref={sender}

# A second mailbox, in the open and hidden behind the first.
mail alice@example.org -> friend@outside.test
message
    From: alice@example.org, ceo@example.org
    Subject: two mailboxes

    Hello.
< 550 5.7.1 *alice@example.org may not send as ceo@example.org (ref {two})
log event=message verdict=reject check=auth_match reason=auth-match-header-from ref={two}
mail alice@example.org -> friend@outside.test
message
    From: <alice@example.org> <ceo@example.org>
    Subject: a hidden mailbox

    Hello.
< 550 5.7.1 * (ref {hidden})
log event=message verdict=reject check=auth_match reason=malformed-from ref={hidden}

# Two From fields.
mail alice@example.org -> friend@outside.test
message
    From: alice@example.org
    Subject: two fields
    From: ceo@example.org

    Hello.
< 550 5.7.1 * (ref {fields})
log event=message verdict=reject check=auth_match reason=malformed-from ref={fields}

# Nobody: a group without members, and no From at all.
mail alice@example.org -> friend@outside.test
message
    From: undisclosed:;
    Subject: group only

    Hello.
< 550 5.7.1 * (ref {group})
log event=message verdict=reject check=auth_match ref={group}
mail alice@example.org -> friend@outside.test
message
    Subject: no From

    Hello.
< 550 5.7.1 * (ref {missing})
log event=message verdict=reject check=auth_match reason=malformed-from ref={missing}

# Its own address only where readers see no address.
mail alice@example.org -> friend@outside.test
message
    From: "alice@example.org" <ceo@example.org>
    Subject: display name

    Hello.
< 550 5.7.1 *alice@example.org may not send as ceo@example.org (ref {display})
log event=message verdict=reject check=auth_match reason=auth-match-header-from ref={display}
mail alice@example.org -> friend@outside.test
message
    From: ceo@example.org (alice@example.org)
    Subject: comment

    Hello.
< 550 5.7.1 *alice@example.org may not send as ceo@example.org (ref {comment})
log event=message verdict=reject check=auth_match reason=auth-match-header-from ref={comment}
