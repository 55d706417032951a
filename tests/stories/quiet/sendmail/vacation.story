# vacation(1) says nothing of the message that it answers: the newest one of that pair it must be.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
mail alice@pass.example -> away@strict.test
message
    From: alice@pass.example
    To: away@strict.test
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:pass* rcpt_to=away@strict.test
log event=message verdict=pass check=auto_responders reason=auto-reply-wanted mail_from=<> rcpt_to=alice@pass.example
delivered  -> alice@pass.example
    *
    From: <away@strict.test>
    *

    I am away.
mail alice@softfail.example -> away@strict.test
message
    From: alice@softfail.example
    To: away@strict.test
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:softfail* rcpt_to=away@strict.test
log event=message verdict=discard check=auto_responders reason=auto-reply-unwanted mail_from=<> rcpt_to=alice@softfail.example

# A program of the host that writes of its own accord.
sendmail -f shop@strict.test customer@none.example
    From: The shop <shop@strict.test>
    To: customer@none.example
    Auto-Submitted: auto-generated
    Subject: Your order

    Thank you.
log event=message verdict=pass mail_from=shop@strict.test rcpt_to=customer@none.example
delivered shop@strict.test -> customer@none.example
