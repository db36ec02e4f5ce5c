/*
 * Takes rows of (bucket, event time, batch) and passes on rows of (bucket, batch) that have that event time.
 */
public final class Address extends org.apache.flink.streaming.api.operators.AbstractStreamOperator
    implements org.apache.flink.streaming.api.operators.OneInputStreamOperator {

  public Address(
      Object[] references,
      org.apache.flink.streaming.runtime.tasks.StreamTask task,
      org.apache.flink.streaming.api.graph.StreamConfig config,
      org.apache.flink.streaming.api.operators.Output output,
      org.apache.flink.streaming.runtime.tasks.ProcessingTimeService time) {
    this.setup(task, config, output);
    this.processingTimeService = time;
  }

  public void processElement(org.apache.flink.streaming.runtime.streamrecord.StreamRecord element) throws Exception {
    org.apache.flink.types.Row row = (org.apache.flink.types.Row) element.getValue();
    org.apache.flink.types.Row addressed =
        org.apache.flink.types.Row.of(new Object[] {row.getField(0), row.getField(2)});
    Long time = (Long) row.getField(1);
    if (time == null) {
      output.collect(element.replace(addressed));
    } else {
      output.collect(element.replace(addressed, time.longValue()));
    }
  }
}
