# What an address of ours is an alias of cannot be delivered: the policy is that of the address to which the message came.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
mail alice@fail.example -> sales@strict.test
message
    From: alice@fail.example
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass rcpt_to=sales@strict.test
log event=message verdict=discard check=bounces mail_from=<> rcpt_to=alice@fail.example

# One of two, where the other domain would allow it and has no trouble.
> MAIL FROM:<alice@fail.example>
< 250 2.1.0 *
> RCPT TO:<sales@strict.test>
< 250 2.1.5 *
> RCPT TO:<team@allow.test>
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass
log event=message verdict=discard check=bounces mail_from=<> rcpt_to=alice@fail.example
delivered alice@fail.example -> team@outside.test

# A stranger's own name for his recipient (ORCPT) is no way round.
> MAIL FROM:<alice@fail.example>
< 250 2.1.0 *
> RCPT TO:<nobody@strict.test> ORCPT=rfc822;nobody@allow.test
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass
log event=message verdict=discard check=bounces mail_from=<> rcpt_to=alice@fail.example
