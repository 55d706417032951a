# Answers in the forms of other programs, which a real Postfix hands over with their bodies. All are to one message that does
# not pass SPF.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
mail alice@softfail.example -> info@strict.test
message
    From: alice@softfail.example
    To: info@strict.test
    Message-ID: <original@softfail.example>

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:softfail* rcpt_to=info@strict.test
delivered alice@softfail.example -> info@strict.test

# A receipt that somebody let be sent.
sendmail -f <> alice@softfail.example
    From: info@strict.test
    To: alice@softfail.example
    Auto-Submitted: auto-replied (zimbra; read-receipt)
    Precedence: bulk
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=disposition-notification; boundary="x"

    --x
    Content-Type: text/plain

    It was read.

    --x
    Content-Type: message/disposition-notification

    Final-Recipient: rfc822;info@strict.test
    Original-Message-ID: <original@softfail.example>
    Disposition: manual-action/MDN-sent-manually; displayed

    --x--
log event=message verdict=pass mail_from=<> rcpt_to=alice@softfail.example
delivered  -> alice@softfail.example

# One that a program sent by itself.
sendmail -f <> alice@softfail.example
    From: info@strict.test
    To: alice@softfail.example
    Auto-Submitted: auto-replied (zimbra; read-receipt)
    Precedence: bulk
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=disposition-notification; boundary="x"

    --x
    Content-Type: text/plain

    It was read.

    --x
    Content-Type: message/disposition-notification

    Final-Recipient: rfc822;info@strict.test
    Original-Message-ID: <original@softfail.example>
    Disposition: manual-action/MDN-sent-automatically; displayed

    --x--
log event=message verdict=discard check=auto_responders reason=auto-reply-unwanted mail_from=<> rcpt_to=alice@softfail.example

# Exchange's automatic reply.
sendmail -f <> alice@softfail.example
    From: info@strict.test
    To: alice@softfail.example
    In-Reply-To: <original@softfail.example>
    X-Auto-Response-Suppress: All
    X-MS-Exchange-Inbox-Rules-Loop: info@strict.test
    Auto-Submitted: auto-generated

    I am away.
log event=message verdict=discard check=auto_responders reason=auto-reply-unwanted mail_from=<> rcpt_to=alice@softfail.example

# An answer to an invitation, marked as automatic.
sendmail -f <> alice@softfail.example
    From: info@strict.test
    To: alice@softfail.example
    In-Reply-To: <original@softfail.example>
    Auto-Submitted: auto-replied
    MIME-Version: 1.0
    Content-Type: multipart/alternative; boundary="x"

    --x
    Content-Type: text/plain

    Accepted.
    --x
    Content-Type:
    	text/calendar; method=REPLY

    BEGIN:VCALENDAR
    END:VCALENDAR
    --x--
log event=message verdict=pass mail_from=<> rcpt_to=alice@softfail.example
delivered  -> alice@softfail.example

# A bounce of qmail's.
sendmail -f <> alice@softfail.example
    From: MAILER-DAEMON@strict.test
    To: alice@softfail.example
    Subject: failure notice

    Hi. This is the qmail-send program at mx.strict.test.
    I'm afraid I wasn't able to deliver your message to the following addresses.

    <info@strict.test>:
    Sorry, no mailbox here by that name. (#5.1.1)

    --- Below this line is a copy of the message.

    Return-Path: <alice@softfail.example>
    Message-ID: <original@softfail.example>

    Hello.
log event=message verdict=discard check=bounces reason=bounce-unwanted mail_from=<> rcpt_to=alice@softfail.example

# A bounce of an old Exim's.
sendmail -f <> alice@softfail.example
    From: Mail Delivery System <Mailer-Daemon@strict.test>
    To: alice@softfail.example
    Auto-Submitted: auto-replied
    X-Failed-Recipients: info@strict.test
    Subject: Mail delivery failed: returning message to sender

    This message was created automatically by mail delivery software.

      info@strict.test
        unknown user

    ------ This is a copy of the message, including all the headers. ------

    Return-path: <alice@softfail.example>
    Message-ID: <original@softfail.example>

    Hello.
log event=message verdict=discard check=bounces reason=bounce-unwanted mail_from=<> rcpt_to=alice@softfail.example
