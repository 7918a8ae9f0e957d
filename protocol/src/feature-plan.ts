/** Feature plans: the transform between a request and the graph, hashed so that training and serving share one. */
import { sha256Hex } from "./ids.ts";

/** sha256 of `{"plan":"identity"}`: the request's tensors are the graph's. */
export const identityPlanHash = sha256Hex.parse("491de37458c26f3c76bb364c31753e5d452996a26725176365fb890ac8d18967");
