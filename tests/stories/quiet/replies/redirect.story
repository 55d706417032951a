# What a mailbox passes on is no answer, whoever sent it.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
mail alice@fail.example -> moved@disabled.test
message
    From: alice@fail.example
    To: moved@disabled.test
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail* rcpt_to=moved@disabled.test
log event=message verdict=pass origin=local mail_from=alice@fail.example rcpt_to=moved@outside.test
delivered alice@fail.example -> moved@outside.test

# Nor is it when it is itself an answer: somebody else's vacation notice, and somebody else's bounce.
mail  -> moved@careful.test
message
    From: bob@pass.example
    To: moved@careful.test
    Auto-Submitted: auto-replied
    Subject: away

    I am away.
< 250 2.0.0 *
log event=message verdict=pass rcpt_to=moved@careful.test
log event=message verdict=pass origin=local mail_from=<> rcpt_to=moved@outside.test
delivered  -> moved@outside.test
mail  -> moved@careful.test
message
    From: MAILER-DAEMON@mail.pass.example
    To: moved@careful.test
    Auto-Submitted: auto-replied
    Content-Type: multipart/report; report-type=delivery-status; boundary="x"
    Subject: returned

    --x
    Content-Type: text/plain

    It could not be delivered.

    --x
    Content-Type: message/delivery-status

    Reporting-MTA: dns; mail.pass.example

    Final-Recipient: rfc822; friend@pass.example
    Action: failed
    Status: 5.1.1

    --x--
< 250 2.0.0 *
log event=message verdict=pass rcpt_to=moved@careful.test
log event=message verdict=pass origin=local mail_from=<> rcpt_to=moved@outside.test
delivered  -> moved@outside.test
