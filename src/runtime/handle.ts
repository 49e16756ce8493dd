/** Key under which a DeviceBuffer keeps its native side; only this room knows it. Reading it throws once the buffer is disposed. */
export const handleOf = Symbol('native handle');
