# One bounce about several recipients: the domain that allows it is enough, and a recipient who got the message is none.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
> MAIL FROM:<alice@fail.example>
< 250 2.1.0 *
> RCPT TO:<nobody@strict.test>
< 250 2.1.5 *
> RCPT TO:<nobody@allow.test>
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: several

    Several.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
log event=message verdict=pass check=bounces mail_from=<> rcpt_to=alice@fail.example
delivered  -> alice@fail.example
> MAIL FROM:<alice@fail.example>
< 250 2.1.0 *
> RCPT TO:<nobody@strict.test>
< 250 2.1.5 *
> RCPT TO:<info@allow.test>
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: several

    Several.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
log event=message verdict=discard check=bounces mail_from=<> rcpt_to=alice@fail.example
delivered alice@fail.example -> info@allow.test
