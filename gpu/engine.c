/* Placeholder until the engine lands: every entry point says so. */
#include "gpu/engine.h"
#include "gpu/gallery.h"
#define U return sp_fail(err, SP_E_UNSUPPORTED, "the engine is not built yet")
enum sp_status sp_engine_open(struct sp_engine **r, const struct sp_engine_config *c, struct sp_err *err){(void)r;(void)c;U;}
void sp_engine_free(struct sp_engine **e){(void)e;}
const char *sp_engine_describe(const struct sp_engine *e){(void)e;return "none";}
const char *sp_engine_fallback_reason(const struct sp_engine *e){(void)e;return "";}
enum sp_status sp_net_load(struct sp_net **r, struct sp_engine *e, const char *p,const struct sp_net_config *c, struct sp_err *err){(void)r;(void)e;(void)p;(void)c;U;}
enum sp_status sp_net_load_memory(struct sp_net **r, struct sp_engine *e, const uint8_t *b,size_t l, const char *n, const struct sp_net_config *c,struct sp_err *err){(void)r;(void)e;(void)b;(void)l;(void)n;(void)c;U;}
void sp_net_free(struct sp_net **n){(void)n;}
int sp_net_input_count(const struct sp_net *n){(void)n;return 0;}
int sp_net_output_count(const struct sp_net *n){(void)n;return 0;}
const struct sp_tensor_info *sp_net_input(const struct sp_net *n, int i){(void)n;(void)i;return 0;}
const struct sp_tensor_info *sp_net_output(const struct sp_net *n, int i){(void)n;(void)i;return 0;}
int sp_net_output_index(const struct sp_net *n, const char *name){(void)n;(void)name;return -1;}
enum sp_status sp_net_run(struct sp_net *n, int b, const float *const *i, const float **o,struct sp_err *err){(void)n;(void)b;(void)i;(void)o;U;}
void sp_net_describe(const struct sp_net *n, void (*line)(void *context, const char *text), void *context){(void)n;(void)line;(void)context;}
enum sp_status sp_gallery_new(struct sp_gallery **r, struct sp_engine *e, enum sp_metric m,int d, int c, const float *t, struct sp_err *err){(void)r;(void)e;(void)m;(void)d;(void)c;(void)t;U;}
struct sp_gallery *sp_gallery_ref(struct sp_gallery *g){return g;}
void sp_gallery_unref(struct sp_gallery **g){(void)g;}
int sp_gallery_count(const struct sp_gallery *g){(void)g;return 0;}
int sp_gallery_dim(const struct sp_gallery *g){(void)g;return 0;}
enum sp_metric sp_gallery_metric(const struct sp_gallery *g){(void)g;return SP_METRIC_L2;}
enum sp_status sp_match(struct sp_engine *e, const struct sp_probe *p, int c, int k,struct sp_hit *h, struct sp_err *err){(void)e;(void)p;(void)c;(void)k;(void)h;U;}
