"""Senders of messages to real brokers, for tests and benchmarks."""

from collections.abc import Callable, Sequence


def publish_redis(port: int, key: str) -> Callable[[Sequence[bytes]], None]:
    """Return a sender of payloads into a stream of Redis."""

    def publish(payloads: Sequence[bytes]) -> None:
        import redis

        with redis.Redis(port=port) as client:
            for first in range(0, len(payloads), 5000):
                pipeline = client.pipeline(transaction=False)
                for payload in payloads[first : first + 5000]:
                    pipeline.xadd(key, {"data": payload})
                pipeline.execute()

    return publish


def publish_mqtt(port: int, topic: str) -> Callable[[Sequence[bytes]], None]:
    """Return a sender of payloads to a topic at QoS 1; it returns when the broker has them."""

    def publish(payloads: Sequence[bytes]) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(CallbackAPIVersion.VERSION2)
        client.max_inflight_messages_set(1000)
        client.max_queued_messages_set(0)
        client.connect("127.0.0.1", port)
        client.loop_start()
        sent = [client.publish(topic, payload, qos=1) for payload in payloads]
        for one in sent:
            one.wait_for_publish(timeout=60)
        client.disconnect()
        client.loop_stop()

    return publish
