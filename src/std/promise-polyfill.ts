/** Node 20 lacks Promise.withResolvers, which libp2p 3 calls without declaring it. Import this before libp2p; drop it with Node 22. */
Promise.withResolvers ??= function withResolvers<T>(
  this: PromiseConstructor,
): PromiseWithResolvers<T> {
  let resolve: ((value: T | PromiseLike<T>) => void) | undefined;
  let reject: ((reason?: unknown) => void) | undefined;
  const promise = new this<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  if (resolve === undefined || reject === undefined) throw new TypeError("no executor ran");
  return { promise, resolve, reject };
};
