"""`promote`, `abort`, `retry`, `pause`, `resume`, `approve`: ask the operator for something.

The request goes into an annotation, never into spec, so that GitOps tools see no drift. The
operator answers in `status.lastHandledRequest`, and the command waits for that.
"""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Mapping

from serinus.api.enums import Kind, Verb
from serinus.cli.errors import ExitCode, RefusedError
from serinus.cli.kubectl import Annotation
from serinus.cli.objects import RESOURCES, Handled, Resource
from serinus.cli.request import Request, plain_reason, revision_for
from serinus.cli.session import Session
from serinus.cli.targets import target

WAIT_SECONDS = 15.0
TICK_SECONDS = 0.25
DONE = "done"

KINDS: Mapping[Verb, tuple[Kind, ...]] = {
    Verb.PROMOTE: (Kind.DEPLOYMENT,),
    Verb.ABORT: (Kind.DEPLOYMENT,),
    Verb.PAUSE: (Kind.DEPLOYMENT,),
    Verb.RESUME: (Kind.DEPLOYMENT,),
    Verb.RETRY: tuple(sorted(Kind, key=lambda kind: kind is not Kind.DEPLOYMENT)),
    Verb.APPROVE: (Kind.MODEL_VERSION,),
}
"""Kinds that understand a verb; the first is meant by a name alone."""


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    """Ask, and wait for the answer."""
    verb = Verb(arguments.verb)
    resource = _found(verb, arguments, session)
    request = Request(
        actor=session.cluster.user(),
        verb=verb,
        uid=resource.uid,
        revision=revision_for(verb, resource),
        nonce=uuid.uuid4().hex,
        issued_at=session.clock.now(),
        reason=plain_reason(arguments.reason),
    )
    change = _annotation(resource, request)
    if arguments.dry_run == "client":
        session.console.print(change.patch(), soft_wrap=True)
        return ExitCode.OK
    session.cluster.annotate(
        RESOURCES[resource.kind], change, dry_run=arguments.dry_run == "server"
    )
    if arguments.dry_run == "server":
        session.console.print(f"{verb} {resource.name}: the API server would accept it")
        return ExitCode.OK
    if not arguments.wait:
        session.console.print(f"{verb} {resource.name}: asked for")
        return ExitCode.OK
    return _told(session, resource, request, _answer(session, resource, request))


def _found(verb: Verb, arguments: argparse.Namespace, session: Session) -> Resource:
    kinds = KINDS[verb]
    kind, name = target(arguments.target, default=kinds[0])
    if kind not in kinds:
        understood = ", ".join(kinds)
        raise RefusedError(f"a {kind} knows no `{verb}`", f"kinds that do: {understood}")
    return session.find(kind, name)


def _annotation(resource: Resource, request: Request) -> Annotation:
    from serinus.api.metadata import REQUEST_ANNOTATION

    return Annotation(
        resource.namespace, resource.name, resource.uid, REQUEST_ANNOTATION, request.text()
    )


def _answer(session: Session, resource: Resource, request: Request) -> Handled | None:
    """What came of the request; None when the operator says nothing in time."""
    began = session.clock.elapsed_seconds()
    while session.clock.elapsed_seconds() - began < WAIT_SECONDS:
        handled = session.find(resource.kind, resource.name).handled
        if handled is not None and handled.nonce == request.nonce:
            return handled
        session.clock.wait(TICK_SECONDS)
    return None


def _told(
    session: Session, resource: Resource, request: Request, handled: Handled | None
) -> ExitCode:
    console, about = session.console, f"{request.verb} {resource.name}"
    if handled is None:
        console.print(f"{about}: asked for, but the operator said nothing in {WAIT_SECONDS:.0f} s.")
        console.print(
            "hint: is it running? `kubectl get pods -A -l app.kubernetes.io/name=serinus`"
        )
        return ExitCode.UNSETTLED
    done = handled.outcome == DONE
    console.print(f"{about}: ", end="")
    console.print(handled.outcome, style="green" if done else "red", end="")
    console.print(f": {handled.message}" if handled.message else "", soft_wrap=True)
    return ExitCode.OK if done else ExitCode.BAD
