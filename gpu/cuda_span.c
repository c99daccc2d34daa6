/* Spans: how long the device took for a piece of work, by its own clock. Over gpu/cuda_device.h. */
#include "gpu/cuda_device.h"

enum sp_status sp_cuda_span_new(struct sp_cuda_span *span, struct sp_cuda *cuda, struct sp_err *err)
{
    *span = (struct sp_cuda_span){.cuda = cuda};
    enum sp_status status = sp_cuda_event_new(&span->first, cuda, true, err);
    if (!status)
        status = sp_cuda_event_new(&span->last, cuda, true, err);
    if (status)
        sp_cuda_span_free(span);
    return status;
}

void sp_cuda_span_free(struct sp_cuda_span *span)
{
    if (span->first)
        sp_cuda_event_free(&span->first);
    if (span->last)
        sp_cuda_event_free(&span->last);
}

enum sp_status sp_cuda_span_begin(struct sp_cuda_span *span, struct sp_cuda_stream *stream, struct sp_err *err)
{
    return sp_cuda_event_record(span->first, stream, err);
}

enum sp_status sp_cuda_span_end(struct sp_cuda_span *span, struct sp_cuda_stream *stream, struct sp_err *err)
{
    return sp_cuda_event_record(span->last, stream, err);
}

enum sp_status sp_cuda_span_count(struct sp_cuda_span *span, enum sp_engine_work work, struct sp_err *err)
{
    double us = 0;
    enum sp_status status = sp_cuda_event_between(span->first, span->last, &us, err);
    if (!status)
        sp_cuda_spent_add(span->cuda, work, us);
    return status;
}
