/* The actions of the state table in broker.c; docs/protocol.md section 7 names them. Each takes the broker (with
 * event, now and outbox of the step) and the connection's session or worker, NOBODY where there is none. Pure. */
#ifndef SALLYPORT_BROKER_ACTIONS_H
#define SALLYPORT_BROKER_ACTIONS_H

#include "broker/state.h"

typedef void broker_action(struct broker *broker, int at);

/* front.c: what clients say */
broker_action greet_client;       /* check the lanes, begin a session, void older ones, WELCOME */
broker_action take_work;          /* FRAME, CLOSE, ENROL, REVIEW: check, refuse with an ANSWER, join or queue */
broker_action answer_draining;    /* ANSWER busy draining */
broker_action refuse_draining;    /* REFUSED draining */
broker_action refuse_not_greeted; /* REFUSED not_greeted */
broker_action refuse_role;        /* REFUSED not_authorised */
broker_action refuse_flaw;        /* REFUSED bad_message, bad_version or unknown_message */
broker_action refuse_revoked;     /* REFUSED revoked, session ended */
broker_action tell;               /* ASK: a page of lanes or workers, to ops */
broker_action answer_ping;        /* PONG */
broker_action note_life;          /* nothing: hearing it was enough */
broker_action end_session;        /* answers to its jobs go nowhere from now on */
broker_action ignore;

/* back.c: what workers say */
broker_action greet_worker;   /* check the certificate, replace an older connection of the key, GREET */
broker_action take_result;    /* ANSWER to whoever waits; late ones are dropped */
broker_action renew_lease;    /* BEAT: take the new credit */
broker_action start_draining; /* no new jobs for this worker */
broker_action take_want;      /* queue an enrolment that nobody waits for */
broker_action answer_worker_ping;
broker_action lose_worker; /* redeliver its jobs */
broker_action refuse_worker_not_greeted;
broker_action refuse_worker_role;
broker_action refuse_worker_flaw;
broker_action refuse_worker_revoked;

/* timers.c: what nobody says */
broker_action run_timers;   /* budgets, leases, heartbeats */
broker_action end_revoked;  /* everything of a key that left the peer table */
broker_action drain_broker; /* take nothing new */
broker_action stop_broker;  /* answer what is left busy draining, BYE to everybody */

#endif
