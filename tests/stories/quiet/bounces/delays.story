# News that a message is late is a bounce like others: not for whom it may not concern.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
mail alice@fail.example -> busy@strict.test
message
    From: alice@fail.example
    Subject: late

    Late.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
log event=message verdict=discard check=bounces mail_from=<> rcpt_to=alice@fail.example
delivered alice@fail.example -> busy@strict.test
mail alice@pass.example -> busy2@strict.test
message
    From: alice@pass.example
    Subject: late

    Late.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:pass*
log event=message verdict=pass check=bounces mail_from=<> rcpt_to=alice@pass.example
delivered  -> alice@pass.example
delivered alice@pass.example -> busy2@strict.test
